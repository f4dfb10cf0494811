/* The demo's plugin: built against libpicture 2.4, of which it uses one new function. */
int picture_open(int picture);
int picture_sharpen(int picture);
int plugin_sharpen(int picture);

int plugin_sharpen(int picture)
{
    return picture_sharpen(picture_open(picture));
}
