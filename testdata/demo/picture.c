/* The demo's library. With -DNEWER it is version 2.4, which the plugin was built against; without, version 2.2, which
 * is what is installed. */
int picture_open(int picture);
int picture_open(int picture)
{
    return picture;
}
#ifdef NEWER
int picture_sharpen(int picture);
int picture_sharpen(int picture)
{
    return picture + 1;
}
#endif
