/* The demo's program: loads its plugin when it starts, as editors and servers load theirs, and says little when that
 * fails. */
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
    void *plugin = dlopen(PLUGIN, RTLD_NOW);
    int (*sharpen)(int) = NULL;

    if (plugin)
        sharpen = (int (*)(int))dlsym(plugin, "plugin_sharpen");
    if (!sharpen) {
        fprintf(stderr, "viewer: the plugin sharpen.so could not be started\n");
        return 3;
    }
    printf("viewer: sharpened %d\n", sharpen(41));
    return 0;
}
