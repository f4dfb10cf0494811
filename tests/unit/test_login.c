/* The PATH of a login shell, from files that are read and never run. */
#include "loadbed.h"

#include <probes/login.h>

static struct login_path login;

static void place(const char *name, const char *text)
{
    CLEANUP_FREE char *directory = path_dir(name);

    sh("mkdir -p '%s%s'", bed, directory);
    put(name + 1, text); /* from the scratch directory, where we stand */
}

static void clear(void)
{
    login_path_deinit(&login);
    bed_remove();
}

/* DIRECTORY was put there by FILE; NULL: by none. */
static void has(const char *directory, const char *file)
{
    for (size_t i = 0; i < login.count; i++)
        if (strcmp(login.directories[i].path, directory) == 0) {
            ck_assert_msg(file != NULL, "%s", directory);
            ck_assert_str_eq(login.directories[i].file, file);
            return;
        }
    ck_assert_msg(!file, "%s is not in it", directory);
}

START_TEST(files_of_all)
{
    place("/etc/environment", "PATH=\"/usr/bin:/env/bin\"\n");
    place("/etc/profile", "if [ 1 ]; then\n  PATH=\"/usr/local/bin:/usr/bin\"\nelse\n  PATH='/games'\nfi\nexport PATH\n"
                          "# PATH=/commented\n");
    place("/etc/profile.d/x.sh", "pathmunge /munged after\nexport PATH=$PATH:/opt/x/bin;X=1\n");
    login_path_read(bed, NULL, &login);
    has("/env/bin", "/etc/environment");
    has("/usr/local/bin", "/etc/profile");
    has("/games", "/etc/profile");
    has("/munged", "/etc/profile.d/x.sh");
    has("/opt/x/bin", "/etc/profile.d/x.sh");
    has("/commented", NULL);
}
END_TEST

START_TEST(files_of_one)
{
    place("/home/u/.profile",
          "export TOOL=\"$HOME/.tool\"\nPATH=\"${TOOL}/bin:$PATH\"\n[ -s x ] && . \"$HOME/.cargo/env\"\n"
          "PATH=$UNKNOWN/bin:~/mine:$(run me)/x:`me too`:/a/${PATH:+:/b}\n");
    place("/home/u/.cargo/env", "case x in\n*) export PATH=\"$HOME/.cargo/bin:$PATH\" ;;\nesac\n");
    place("/home/u/.bashrc", "export NVM_DIR=\"$HOME/.nvm\"\n[ -s \"$NVM_DIR/nvm.sh\" ] && \\. \"$NVM_DIR/nvm.sh\"\n"
                             ". \"$NVM_DIR/nvm.sh\" # loads it\n. ~/.bashrc\n");
    place("/home/u/.nvm/versions/node/v20.1.0/bin/node", "");
    place("/home/u/.config/fish/config.fish", "fish_add_path -g ~/fishy\n");
    place("/home/u/.config/environment.d/a.conf", "PATH=$HOME/desk:$PATH\n");
    place("/etc/environment.d/b.conf", "PATH=$PATH:$HOME/mine:/only/there\n");
    login_path_read(bed, "/home/u", &login);
    has("/home/u/.tool/bin", "/home/u/.profile");
    has("/home/u/mine", "/home/u/.profile");
    has("/home/u/.cargo/bin", "/home/u/.cargo/env");
    has("/home/u/.nvm/versions/node/v20.1.0/bin", "/home/u/.bashrc");
    has("/home/u/fishy", "/home/u/.config/fish/config.fish");
    has("/home/u/desk", "/home/u/.config/environment.d/a.conf");
    for (size_t i = 0; i < login.count; i++) {
        const char *path = login.directories[i].path;

        ck_assert_msg(!strpbrk(path, "$(`{"), "%s", path);
        ck_assert_str_ne(path, "/only/there");
        ck_assert_msg(login.directories[i].managed ==
                          (strcmp(path, "/home/u/desk") == 0 || strcmp(path, "/home/u/mine") == 0),
                      "%s", path);
    }
}
END_TEST

START_TEST(hostile_files)
{
    place(
        "/home/u/.profile",
        "PATH=\"\nPATH=\nPATH=:::\nPATH=$\nPATH=${\nPATH=\"unended:/x\n. \n.\nsource\n=\nA=$A$A$A\nfish_add_path -\n");
    place("/home/u/.bashrc", ". $HOME/.bashrc\n. $HOME/.profile\n. $HOME/.bashrc; . $HOME/.bashrc\n");
    login_path_read(bed, "/home/u", &login);
    login_path_deinit(&login);
    login_path_read(bed, "relative", &login);
    login_path_deinit(&login);
    login_path_read("/nowhere", "/home/u", &login);
    ck_assert_uint_eq(login.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login");
    TCase *tests = tcase_create("login");

    tcase_add_checked_fixture(tests, bed_make, clear);
    tcase_add_test(tests, files_of_all);
    tcase_add_test(tests, files_of_one);
    tcase_add_test(tests, hostile_files);
    suite_add_tcase(suite, tests);
    return bed_run(suite);
}
