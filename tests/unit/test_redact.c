/* Redaction: secrets that must go, names that must stay. */
#include "sample_report.h"

#include <reports/redact.h>

#include <check.h>
#include <unistd.h>

static const char *const environment[] = {"HOME=/home/marlene/",
                                          "USER=marlene",
                                          "LOGNAME=marlene",
                                          "DEPLOY_PASSWORD=correcthorse",
                                          "API_TOKEN=tok,with;marks 77",
                                          "SSH_AUTH_SOCK=/tmp/ssh-x/agent.12",
                                          "AUTH_MODE=production",
                                          "PWD=/home/marlene/work",
                                          "PATH=/usr/bin:/bin",
                                          NULL};

static struct redactor *knowing(void)
{
    struct redactor *redactor = redactor_create();

    redactor_add_environment(redactor, environment);
    redactor_add_host(redactor, "brontosaurus.example.org");
    return redactor;
}

static void becomes(const char *before, const char *after)
{
    struct redactor *redactor = knowing();
    CLEANUP_FREE char *once = redactor_text(redactor, before), *twice = redactor_text(redactor, once);

    ck_assert_str_eq(once, after);
    ck_assert_str_eq(twice, after); /* what is redacted stays as it is */
    redactor_destroy(redactor);
}

START_TEST(names)
{
    becomes("/home/marlene", "$HOME");
    becomes("/home/marlene/app/x.node", "$HOME/app/x.node");
    becomes("cannot open '/home/marlene/x': No such file", "cannot open '$HOME/x': No such file");
    becomes("LD_LIBRARY_PATH=/home/marlene/a:/home/marlene/b", "LD_LIBRARY_PATH=$HOME/a:$HOME/b");
    becomes("cc -L/home/marlene/lib", "cc -L$HOME/lib");
    becomes("in /home/marlene.", "in $HOME.");
    becomes("/home/marlene2/x", "/home/user2/x");
    becomes("/home/marlene-old/x", "/home/user2/x");
    becomes("/Users/Else.Who/x of Else.Who", "/Users/user2/x of user2");
    becomes("/home/node/x", "/home/node/x");
    becomes("/srv/root/home/marlene/x", "/srv/root/home/user1/x");
    becomes("/tmp/pytest-of-marlene/x", "/tmp/pytest-of-user1/x");
    becomes("libmarlene.so.1", "libmarlene.so.1");
    becomes("brontosaurus: refused", "host1: refused");
    becomes("tcp:brontosaurus.example.org:80", "tcp:host1:80");
    becomes("brontosaurus-rex", "brontosaurus-rex");
    becomes("stegosaurus.example.org: refused", "stegosaurus.domain1: refused");
}
END_TEST

START_TEST(addresses)
{
    becomes("connect to 10.1.2.3:80, then [10.1.2.3]", "connect to address1:80, then [address1]");
    becomes("http://192.168.7.9/x and 10.0.0.1.", "http://address1/x and address2.");
    becomes("fe80::1%eth0 2001:db8::8a2e:370:7334", "address1%eth0 address2");
    becomes("[fd12:3456:789a:1::42]:53", "[address1]:53");
    becomes("ether 52:54:00:12:34:56 up", "ether address1 up");
    becomes("from hilde@corp.example.org to hilde", "from address1 to hilde");
    becomes("Hilde B <hilde.b+x@mail.example.com>", "Hilde B <address1>");
    becomes("db-1.internal: refused, printer.lan:631", "host2: refused, host3:631");
    becomes("ssh://build.corp/x", "ssh://host2/x");
}
END_TEST

START_TEST(no_addresses)
{
    static const char *const texts[] = {
        "127.0.0.1:80",
        "0.0.0.0 and 255.255.255.0 and 224.0.0.1",
        "[::1]:8080 and [::]",
        "libx.so.1.2.3.4",
        "/opt/app/1.2.3.4/lib/libx.so",
        "app-1.2.3.4",
        "Chromium/120.0.6099.109",
        "version 1.2.3.4 is needed",
        "1.2.3.4.5 and 1.2.3 and 1.2.3.400",
        "std::vector a::b std::1",
        "00:00:00:00:00:00 12:34:56",
        "fmod@GLIBC_2.38 x@@VERS_1.0 getty@tty1.service",
        "left-pad@1.3.0 @vscode/spdlog@0.13.0 x/tools@v0.1.2-pre.abc",
        "threading.local sun.misc.internal",
        "pkg.test $HOME/.local/share",
        "git@github.com:a/b.git",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        becomes(texts[i], texts[i]);
}
END_TEST

/* What the report is about stays, and only that. */
START_TEST(a_kept_address)
{
    struct redactor *redactor = knowing();
    CLEANUP_FREE char *text = NULL;

    redactor_keep(redactor, "10.1.2.30:5432");
    text = redactor_text(redactor, "10.1.2.30:5432 10.1.2.3 0.1.2.30");
    ck_assert_str_eq(text, "10.1.2.30:5432 address1 0.1.2.30");
    redactor_destroy(redactor);
}
END_TEST

/* Where a string was cut, what is left of a secret goes as well. */
START_TEST(cut_secrets)
{
    becomes("argv [\"tok,with;ma\"...", "argv [\"[redacted]\"...");
    becomes("sent correcth", "sent [redacted]");
    becomes("a correct one", "a correct one");
}
END_TEST

/* Numbers that are out of bounds cost no more than others, and stay hidden. */
START_TEST(many_addresses)
{
    struct redactor *redactor = knowing();
    CLEANUP_FREE char *last = NULL;

    for (int i = 0; i < 3000; i++) {
        CLEANUP_FREE char *address = xasprintf("10.1.%d.%d", i / 250, i % 250);
        CLEANUP_FREE char *text = redactor_text(redactor, address);

        ck_assert_ptr_null(strstr(text, "10.1."));
    }
    last = redactor_text(redactor, "10.9.9.9");
    ck_assert_str_eq(last, "[address]");
    redactor_destroy(redactor);
}
END_TEST

/* Each string holds the word PLANTED or stands alone, and nothing of it may be left. */
static const char *const planted[][2] = {
    /* by name */
    {"API_KEY=s3cr3tvalue prog", "s3cr3tvalue"},
    {"export GITHUB_TOKEN='quoted value here'", "quoted value here"},
    {"--password=hunter22", "hunter22"},
    {"DB_PASSWORD=letmein", "letmein"},
    {"mysql_passwd=abcd", "abcd"},
    {"apiKey=abc123def", "abc123def"},
    {"client-secret=zyx-wvu", "zyx-wvu"},
    {"{\"access_token\": \"plain-words-only\"}", "plain-words-only"},
    {"{'session_cookie': 'crumbs'}", "crumbs"},
    {"Authorization: Bearer abc.def", "abc.def"},
    {"Cookie: id=1; theme=dark", "theme=dark"},
    {"token: Xy7pQ2mn", "Xy7pQ2mn"},
    {"the password is Xy7pQ2mn, she said", "Xy7pQ2mn"},
    {"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"},
    {"MY_CREDENTIALS=user1234", "user1234"},
    {"GPG_PASSPHRASE=open sesame", "open"},
    {"exec [\"prog\", \"--api-key\", \"plain\"]", "plain"},
    {"ran prog --password hunter --verbose", "hunter"},
    {"ran prog --auth-token Xy7pQ2mn", "Xy7pQ2mn"},
    /* by what the environment says */
    {"login failed for correcthorse at once", "correcthorse"},
    {"sent tok,with;marks 77 to it", "tok,with;marks 77"},
    /* by shape */
    {"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"},
    {"git clone https://x:ghs_16C7e42F292c6912E7710c838347Ae178B4a@h/x", "16C7e42F"},
    {"github_pat_11AABBCC0_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"},
    {"glpat-abcdefghij0123456789", "abcdefghij"},
    {"npm_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"},
    {"xoxb-123456789012-abcdefABCDEF", "123456789012"},
    {"AKIAIOSFODNN7EXAMPLE", "IOSFODNN"},
    {"sk-abcdefghijklmnopqrstuvwx", "abcdefghij"},
    {"sk_live_4eC39HqLyjWDarjtT1", "4eC39"},
    {"AIzaSyA1234567890abcdefghijklmnopqrstuv", "SyA123"},
    {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"},
    {"postgres://app:pa55w@db.local/x", "pa55w"},
    {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----", "b3BlbnNza"},
    {"hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "abcdefghij"},
    /* by being random */
    {"key is 9fK2mQz7LpX4vB8nR3tYwC6s, use it", "9fK2mQz7"},
    {"wJalrXUtn3EMIb7MDE8Gabc9xRfiCYz4kQ2=", "wJalrXUtn"},
    {"value kP3x/8fLq2Zr+T6mW9bYc1Vn/J4hG7sD0aQeRtUu5X next", "8fLq2Zr"},
};

START_TEST(planted_secrets_go)
{
    struct redactor *redactor = knowing();
    CLEANUP_FREE char *text = redactor_text(redactor, planted[_i][0]);
    CLEANUP_FREE char *again = redactor_text(redactor, text);

    ck_assert_msg(!strstr(text, planted[_i][1]), "left in: %s", text);
    ck_assert_msg(strstr(text, "[redacted]"), "not said: %s", text);
    ck_assert_str_eq(again, text);
    redactor_destroy(redactor);
}
END_TEST

/* Command lines, words divided by "|"; nothing of the second may be left. */
static const char *const typed[][2] = {
    {"prog|--password=X", "X"},
    {"prog|--password|hunter", "hunter"},
    {"prog|--password|/etc/passwort", "passwort"},
    {"prog|-password|with blanks in it", "blanks"},
    {"prog|--db-pass:=tiger", "tiger"},
    {"prog|password=a", "=a"},
    {"prog|--api-key|plain", "plain"},
    {"prog|/opt/x?token=plainword&n=1", "plainword"},
    {"env|PGPASSWORD=tiger|psql", "tiger"},
    {"mysql|-u|root|-ptiger", "tiger"},
    {"/usr/bin/mariadb-dump|-ptiger", "tiger"},
    {"sshpass|-p|tiger|ssh|host", "tiger"},
    {"sshpass|-ptiger", "tiger"},
    {"prog|-pTiger7", "Tiger7"},
    {"prog|-phunter", "hunter"},
    {"docker|login|-u|me|-p|tiger", "tiger"},
    {"redis-cli|-a|tiger", "tiger"},
    {"ldapsearch|-D|cn=x|-w|tiger", "tiger"},
    {"unzip|-P|tiger|a.zip", "tiger"},
    {"7z|x|-ptiger|a.7z", "tiger"},
    {"openssl|rsa|-passin|pass:tiger", "tiger"},
    {"xfreerdp|/u:me|/p:tiger", "tiger"},
    {"curl|-u|me:tiger|http://x/", "tiger"},
    {"curl|-ume:tiger", "tiger"},
    {"prog|-u|me:tiger", "tiger"},
    {"prog|--user|me:ti/ger", "ti/ger"},
    {"smbclient|-U|me%tiger", "tiger"},
    {"scp|me:tiger@host:x", "tiger"},
    {"psql|postgres://me:ti/ger@host:5432/db", "ti/ger"},
    {"curl|-H|Authorization: Bearer abc", "abc"},
    {"curl|-HAuthorization: Bearer abc def", "abc"},
    {"curl|-H|X-Api-Key: abc", "abc"},
    {"curl|--header=Authorization: Basic abc", "abc"},
    {"curl|-d|{\"password\":\"x y\",\"n\":1}", "x y"},
    {"curl|-d|{\"pass\": 1234}", "1234"},
    {"curl|-d|{\"auth\":{\"user\":\"u\",\"word\":\"tiger\"}}", "tiger"},
    {"prog|\"{\\\"secret\\\": \\\"tiger\\\"}\"", "tiger"},
    {"sh|-c|mysql -ptiger <x", "tiger"},
    {"sh|-c|mysql --password 'two words'", "two words"},
    {"sh|-c|curl -H 'Authorization: Bearer abc' x", "abc"},
    {"sh|-c|PASSWORD=tiger prog", "tiger"},
    {"sh|-c|ssh x \"sshpass -p tiger y\"", "tiger"},
    {"prog|dXNlcjpwYXNzd29yZA==", "dXNlcjpw"},
    {"prog|--data=aGVsbG8gd29ybGQgYWdhaW4=", "aGVsbG8"},
    {"prog|9f86d081884c7d659a2feaa0c55ad015", "9f86d081"},
    {"prog|k3j9x0q8v7z2m1n5b4c6", "k3j9x0"},
    {"prog|JBSWY3DPEHPK3PXP", "JBSWY3"},
    {"prog|3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0"},
    {"prog|ab+cd/Ef3gH5jK7mN9/pQ+rS2tU", "Ef3gH5"},
};

static void split(const char *line, struct strings *words, const char **ret)
{
    size_t n = 0;

    for (const char *p = line; *p; p += *p == '|') {
        strings_add(words, xstrndup(p, strcspn(p, "|")));
        ret[n++] = words->v[words->n - 1];
        p += strcspn(p, "|");
    }
    ret[n] = NULL;
}

static char *hidden_line(struct redactor *redactor, const char *line)
{
    struct strings words = {0}, hidden = {0};
    const char *argv[16];
    char *joined = xstrdup("");

    split(line, &words, argv);
    redactor_add_argv(redactor, argv);
    redactor_argv(redactor, argv, &hidden);
    ck_assert_uint_eq(words.n, hidden.n);
    for (size_t i = 0; i < hidden.n; i++) {
        char *longer = xasprintf("%s%s%s", joined, i ? "|" : "", hidden.v[i]);

        free(joined);
        joined = longer;
    }
    strings_deinit(&words);
    strings_deinit(&hidden);
    return joined;
}

START_TEST(typed_secrets_go)
{
    struct redactor *redactor = redactor_create();
    CLEANUP_FREE char *hidden = hidden_line(redactor, typed[_i][0]), *again = hidden_line(redactor, hidden);

    ck_assert_msg(!strstr(hidden, typed[_i][1]), "left in: %s", hidden);
    ck_assert_msg(strstr(hidden, "[redacted]"), "not said: %s", hidden);
    ck_assert_str_eq(again, hidden);
    redactor_destroy(redactor);
}
END_TEST

/* What is read to see what failed. */
static const char *const untyped[] = {
    "/usr/bin/node|/opt/x/index.js|--max-old-space-size=4096|-r|./x.js",
    "gcc|-pthread|-pipe|-print-search-dirs|-I/opt/x|-Wl,-rpath,$ORIGIN/../lib|-o|x|x.c",
    "ld.so|--library-path|/opt/lib:/opt/x|./prog|-p8080",
    "docker|run|-p|127.0.0.1:8080:80/tcp|--user|1000:1000|debian:12",
    "sh|-c|cd /opt && exec ./prog --flag=value \"$@\"",
    "python3|-c|import ctypes; ctypes.CDLL('libnowhere.so.1')",
    "git|clone|git@example.com:x/y.git",
    "http://localhost:8080/a@b|x86_64-unknown-linux-gnu|manylinux_2_17_x86_64|cpython-311-x86_64-linux-gnu",
    "/nix/store/a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6-glibc-2.38/lib/libc.so.6",
    "prog|--key=2|--key|/etc/ssl/private/server|--pass-through",
    "libThisIsAVeryLongLibraryNameInCamelCase2024.so.1|fmod@GLIBC_2.38|_ZN2v88internal7Isolate4InitEPNS0_18Snap",
};

START_TEST(what_is_typed_stays)
{
    struct redactor *redactor = redactor_create();
    CLEANUP_FREE char *hidden = hidden_line(redactor, untyped[_i]);

    ck_assert_str_eq(hidden, untyped[_i]);
    redactor_destroy(redactor);
}
END_TEST

/* A secret that was typed is hidden where it is said again. */
START_TEST(typed_secrets_are_learnt)
{
    struct redactor *redactor = redactor_create();
    static const char *const argv[] = {"prog", "--password", "open sesame", NULL};
    CLEANUP_FREE char *text = NULL;

    redactor_add_argv(redactor, argv);
    text = redactor_text(redactor, "denied (using open sesame)");
    ck_assert_str_eq(text, "denied (using [redacted])");
    redactor_destroy(redactor);
}
END_TEST

static const char *const innocent[] = {
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "version `GLIBCXX_3.4.32' not found (required by /opt/app/build/addon.node)",
    "GLIBC_ABI_DT_X86_64_PLT",
    "fmod@GLIBC_2.38",
    "_ZN2v88internal7Isolate4InitEPNS0_18SnapshotDataEPNS0_16ReadOnlyHeapDataE",
    "_RNvNtCs1234567890AbC_7mycrate3foo17h0123456789abcdefE",
    "undefined symbol: _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE10_M_replaceEmmPKcm",
    "/nix/store/a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6-glibc-2.38/lib/libc.so.6",
    "BuildID[sha1]=0123456789abcdef0123456789abcdef01234567",
    "/root/.cache/go-build/12/123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0-d",
    "/proc/self/fd/3",
    "execve(\"/usr/bin/env\", [\"env\", \"node\"])",
    "sort --key=2 file",
    "sort --key 2 file",
    "ssh --key /etc/ssl/private/server --verbose",
    "[\"curl\", \"--key\", \"/etc/ssl/private/server\"]",
    "[\"prog\", \"--auth\", \"--verbose\"]",
    "error: key: not found",
    "the password is required",
    "/usr/bin/passwd is set-user-ID",
    "unexpected token: identifier",
    "KEYBOARD=de",
    "XKB_KEYMAP=some-layout",
    "GIT_AUTHOR_NAME=nobody",
    "SSH_AUTH_SOCK=/tmp/ssh-x/agent.12",
    "AWS_SHARED_CREDENTIALS_FILE=/etc/aws",
    "PWD=/opt/application",
    "run in production",
    "node_modules/@vscode/spdlog/build/Release/spdlog.node",
    "github.com/some-organisation/Some-Repository/internal/package123/File456",
    "NODE_MODULE_VERSION 115",
    "/tmp/pytest-of-root/pytest-0/test_x0/prog",
    "file:///opt/x/y.js:12:34",
    "http://localhost:8080/path?x=1",
    "git@example.com:x/y.git",
    "user:group",
    "libThisIsAVeryLongLibraryNameInCamelCase2024.so.1",
    "TestHandlerReturnsErrorWhenLibraryIsMissing2",
    "org.freedesktop.DBus.Properties.PropertiesChanged",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "-----BEGIN CERTIFICATE-----",
    "sk-learn",
    "linker: ld-linux-x86-64.so.2",
    "[redacted]",
    "",
};

START_TEST(innocents_stay)
{
    becomes(innocent[_i], innocent[_i]);
}
END_TEST

START_TEST(secret_names)
{
    static const char *const yes[] = {"TOKEN",  "GITHUB_TOKEN", "apiKey", "api-key",
                                      "APIKEY", "X_AUTH",       "PASS",   "sshKey"};
    static const char *const no[] = {"PWD",           "OLDPWD",      "KEYBOARD", "AUTHOR",
                                     "SSH_AUTH_SOCK", "SSH_ASKPASS", "PATH",     "HOME"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        ck_assert_msg(redact_secret_name(yes[i], strlen(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        ck_assert_msg(!redact_secret_name(no[i], strlen(no[i])), "%s", no[i]);
}
END_TEST

START_TEST(accounts_that_are_nobody)
{
    struct redactor *redactor = redactor_create();
    static const char *const env[] = {"USER=root", "HOME=/", "LOGNAME=node", NULL};
    CLEANUP_FREE char *text = NULL;

    redactor_add_environment(redactor, env);
    redactor_add_host(redactor, "localhost");
    text = redactor_text(redactor, "root node / /usr/bin/node localhost chroot");
    ck_assert_str_eq(text, "root node / /usr/bin/node localhost chroot");
    redactor_destroy(redactor);
}
END_TEST

START_TEST(passwd_by_hand)
{
    char path[] = "/tmp/glibctrace-passwd-XXXXXX";
    int fd = mkstemp(path);
    static const char lines[] =
        "root:x:0:0:root:/root:/bin/sh\nbad line\n:::\nhildegard:x:1234:1234::/srv/homes/hilde:/bin/sh\n"
        "other:x:12345:1::/srv/homes/other:/bin/sh";
    struct redactor *redactor = redactor_create();
    CLEANUP_FREE char *text = NULL;

    ck_assert_int_eq(write(fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    close(fd);
    redactor_add_here(redactor, NULL, path, 1234);
    text = redactor_text(redactor, "/srv/homes/hilde/x by hildegard, /srv/homes/other/x");
    ck_assert_str_eq(text, "$HOME/x by user1, /srv/homes/other/x");
    redactor_destroy(redactor);
    unlink(path);
}
END_TEST

/* The home of the environment and another one in passwd: two names, told apart. */
START_TEST(two_of_each)
{
    struct redactor *redactor = redactor_create();
    CLEANUP_FREE char *text = NULL;

    redactor_add_home(redactor, "/home/anna");
    redactor_add_home(redactor, "/home/anna/nested");
    redactor_add_user(redactor, "anna");
    redactor_add_user(redactor, "annabel");
    text = redactor_text(redactor, "/home/anna/x /home/anna/nested/y anna annabel");
    ck_assert_str_eq(text, "$HOME/x $HOME2/y user1 user2");
    redactor_destroy(redactor);
}
END_TEST

START_TEST(a_whole_report)
{
    struct report *report = sample_empty("/home/marlene/bin/prog");
    struct cause *cause = sample_add(report, cause_create(CAUSE_SYMBOL_MISSING));
    struct redactor *redactor = knowing();
    CLEANUP_FREE char *json = NULL;

    strings_addf(&report->argv, "--api-key");
    strings_addf(&report->argv, "word");
    strings_addf(&report->argv, "--password=a b");
    strings_addf(&report->argv, "--verbose");
    cause->subject = xstrdup("/home/marlene/lib/libx.so.1");
    cause->missing = xstrdup("marlene");
    cause->summary = xstrdup("libx.so.1 needs marlene.");
    cause->words = xstrdup("/home/marlene/lib/libx.so.1: undefined symbol: marlene (TOKEN=abcdef)");
    cause->exe = xstrdup("/home/marlene/bin/prog");
    strings_addf(&cause->argv, "/home/marlene/bin/prog");
    strings_addf(&cause->chain, "/home/marlene/bin/prog");
    cause_fact(cause, "near", "/home/marlene/other");
    cause_place(cause, "/home/marlene/p", "RUNPATH of /home/marlene/bin/prog", "not there: /home/marlene/p", false);
    strings_addf(&cause_remedy(cause, PROOF_KNOWN, "ask marlene")->commands, "ls /home/marlene");
    report_redact(report, redactor);
    json = sample_render(&renderer_json, report, false, 0);
    ck_assert_ptr_null(strstr(json, "/home/marlene"));
    ck_assert_ptr_null(strstr(json, "abcdef"));
    ck_assert_str_eq(report->argv.v[0], "$HOME/bin/prog");
    ck_assert_str_eq(report->argv.v[2], "[redacted]");
    ck_assert_str_eq(report->argv.v[3], "--password=[redacted]");
    ck_assert_str_eq(report->argv.v[4], "--verbose");
    ck_assert_str_eq(cause->subject, "$HOME/lib/libx.so.1");
    ck_assert_str_eq(cause->missing, "user1"); /* as in the words, whatever it is */
    ck_assert_str_eq(cause->places[0].from, "RUNPATH of $HOME/bin/prog");
    redactor_tell(redactor, &report->redacted);
    ck_assert_uint_eq(report->redacted.n, 3);
    ck_assert_str_eq(report->redacted.v[2], "what looks like a secret, as [redacted]: 3 times");
    report_destroy(report);
    redactor_destroy(redactor);
}
END_TEST

/* As trace.jsonl's strings come: an environment's entries and an argument vector's words, one by one. */
START_TEST(strings_one_by_one)
{
    static const char *const pairs[][2] = {
        {"env", "env"},
        {"PIN_TOKEN=with, a; comma", "PIN_TOKEN=[redacted]"},
        {"--passphrase", "--passphrase"},
        {"plain words", "[redacted]"},
        {"plain words", "plain words"},
        {"--key", "--key"},
        {"/home/marlene/key.pem", "$HOME/key.pem"},
        {"--token", "--token"},
        {"--verbose", "--verbose"},
        {"TOKEN=secret\nprog: error while loading", "TOKEN=[redacted]\nprog: error while loading"}};
    struct redactor *redactor = knowing();

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CLEANUP_FREE char *text = redactor_callback(redactor, pairs[i][0]);

        ck_assert_str_eq(text, pairs[i][1]);
    }
    redactor_destroy(redactor);
}
END_TEST

/* Hostile lengths: the time must grow with the text, not with its square. */
START_TEST(long_texts)
{
    static const char *const units[] = {"-",    "a-", "token", "cookie:", "://", "eyJ", "-----BEGIN ", "A1b",
                                        "\377", "/",  ":",     "a.",      "1.",  "a@",  "ab:",         "/home/"};
    struct redactor *redactor = knowing();

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = strlen(units[i]), size = 1 << 20;
        CLEANUP_FREE char *text = xmalloc(size + n + 1), *redacted = NULL;

        for (size_t at = 0; at < size; at += n)
            memcpy(text + at, units[i], n + 1);
        redacted = redactor_text(redactor, text);
        ck_assert_ptr_nonnull(redacted);
        {
            const char *const argv[] = {text, NULL};
            struct strings words = {0};

            redactor_argv(redactor, argv, &words);
            ck_assert_uint_eq(words.n, 1);
            strings_deinit(&words);
        }
    }
    redactor_destroy(redactor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redact");
    TCase *tcase = tcase_create("redact");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, no_addresses);
    tcase_add_test(tcase, a_kept_address);
    tcase_add_test(tcase, cut_secrets);
    tcase_add_test(tcase, many_addresses);
    tcase_add_loop_test(tcase, planted_secrets_go, 0, sizeof planted / sizeof *planted);
    tcase_add_loop_test(tcase, typed_secrets_go, 0, sizeof typed / sizeof *typed);
    tcase_add_loop_test(tcase, what_is_typed_stays, 0, sizeof untyped / sizeof *untyped);
    tcase_add_test(tcase, typed_secrets_are_learnt);
    tcase_add_loop_test(tcase, innocents_stay, 0, sizeof innocent / sizeof *innocent);
    tcase_add_test(tcase, secret_names);
    tcase_add_test(tcase, accounts_that_are_nobody);
    tcase_add_test(tcase, passwd_by_hand);
    tcase_add_test(tcase, two_of_each);
    tcase_add_test(tcase, a_whole_report);
    tcase_add_test(tcase, strings_one_by_one);
    tcase_add_test(tcase, long_texts);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
