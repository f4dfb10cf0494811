#include "redact_client.h"

#include <string.h>

struct client {
    const char *names; /* between blanks */
    const char *glued; /* letters whose value may be glued to them */
    const char *apart; /* letters whose value is the next word */
    enum client_value value;
};

/* From each program's manual. */
static const struct client clients[] = {
    {" mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlslap mysqlbinlog mariadb mariadb-dump "
     "mariadb-admin mariadb-import mariadb-check mariadb-show mariadb-binlog ",
     "p", "", VALUE_PASSWORD},
    {" sshpass mongo mongosh mongodump mongorestore mongoexport mongoimport xfreerdp rdesktop ncftp ncftpget ncftpput "
     "winexe crackmapexec hydra ",
     "p", "p", VALUE_PASSWORD},
    {" docker podman nerdctl buildah skopeo helm oc az cf ", "", "p", VALUE_NO_PORT},
    {" 7z 7za 7zr 7zz rar unrar ", "p", "", VALUE_PASSWORD},
    {" redis-cli valkey-cli ", "", "a", VALUE_PASSWORD},
    {" ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldappasswd ldapcompare ", "w", "w", VALUE_PASSWORD},
    {" zip unzip zipcloak sqlcmd bcp osql isql tsql ipmitool mosquitto_pub mosquitto_sub ", "P", "P", VALUE_PASSWORD},
    {" openssl ", "", "kK", VALUE_PASSWORD},
    {" curl ", "uU", "uU", VALUE_PAIR},
    {" smbclient rpcclient net smbget smbcacls lftp http https ", "", "Uua", VALUE_PAIR},
};

const struct client *client_called(const char *word, size_t length)
{
    const char *slash = memrchr(word, '/', length), *name = slash ? slash + 1 : word;
    size_t n = length - (size_t)(name - word);

    for (size_t i = 0; n && i < sizeof clients / sizeof *clients; i++)
        for (const char *at = clients[i].names; (at = memmem(at, strlen(at), name, n)); at++)
            if (at[-1] == ' ' && at[n] == ' ' && !memchr(name, ' ', n))
                return &clients[i];
    return NULL;
}

enum client_value client_letter(const struct client *client, char letter)
{
    return client && (strchr(client->glued, letter) || strchr(client->apart, letter)) ? client->value : VALUE_NONE;
}

bool client_glues(const struct client *client, char letter)
{
    return client && strchr(client->glued, letter) != NULL;
}

enum client_value client_option(const char *word, size_t length)
{
    static const struct {
        const char *word;
        enum client_value value;
    } options[] = {
        {"-u", VALUE_LOGIN},           {"-U", VALUE_LOGIN},           {"--user", VALUE_LOGIN},
        {"--proxy-user", VALUE_LOGIN}, {"--login", VALUE_LOGIN},      {"--pin", VALUE_PASSWORD},
        {"--pw", VALUE_PASSWORD},      {"--pwd", VALUE_SECRET},       {"-passin", VALUE_PAIR},
        {"-passout", VALUE_PAIR},      {"-password", VALUE_PASSWORD}, {"-pw", VALUE_PASSWORD},
        {"-upw", VALUE_PASSWORD},      {"-opw", VALUE_PASSWORD},      {"--http-passwd", VALUE_PASSWORD},
        {"--otp", VALUE_PASSWORD},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].word) == length && strncmp(word, options[i].word, length) == 0)
            return options[i].value;
    return VALUE_NONE;
}

bool client_known_word(const char *word, size_t length)
{
    static const char *const starts[] = {
        "thread", "ipe",     "edantic", "ie",     "rint",    "refix",    "ath",     "erm",     "rune",
        "ort",    "aram",    "reserve", "lugin",  "rofile",  "roc",      "roject",  "roperty", "osition",
        "arent",  "latform", "age",     "attern", "ackage",  "idfile",   "riority", "rotocol", "olicy",
        "ool",    "ublic",   "rovider", "ub",     "assthro", "redicate", "ixel",    "ersist",
    };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (length >= strlen(starts[i]) && strncmp(word, starts[i], strlen(starts[i])) == 0)
            return strspn(word, "abcdefghijklmnopqrstuvwxyz-_") >= length;
    return false;
}
