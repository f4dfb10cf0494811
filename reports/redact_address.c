#include "redact_address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum {
    V6_LONGEST = INET6_ADDRSTRLEN,
    V6_GROUPS = 3,   /* fewer hexadecimal groups than that may be a C++ name */
    LABEL_MOST = 64, /* RFC 1035 section 2.3.4 */
    NAME_MOST = 253,
    PERSON_MOST = 32, /* useradd(8) */
    MAC_LENGTH = 17,
};

static bool is_alnum(char c)
{
    return isalnum((unsigned char)c);
}

static bool is_label(char c)
{
    return is_alnum(c) || c == '-' || c == '_';
}

/* --- numbers --- */

/* A number of four parts is the release of a program more often than not where it is part of a longer name. */
static bool v4_stands_alone(const char *text, size_t at, size_t length)
{
    char before = at ? text[at - 1] : ' ', after = text[at + length];

    if (is_label(before) || before == '.' || before == '+' || before == '~' || is_label(after) || after == '+' ||
        after == '~' || (after == '.' && is_alnum(text[at + length + 1])))
        return false;
    /* "/opt/1.2.3.4/lib" is a directory, "http://1.2.3.4/" is not; "name/1.2.3.4" is how programs tell a release */
    return before != '/' || (at > 1 && text[at - 2] == '/');
}

/* Said of a release: "version 1.2.3.4". */
static bool follows_version(const char *text, size_t at)
{
    size_t end = at;

    while (end && (text[end - 1] == ' ' || text[end - 1] == '=' || text[end - 1] == ':' || text[end - 1] == '"'))
        end--;
    return end >= 7 && strncasecmp(text + end - 7, "version", 7) == 0;
}

static size_t v4_at(const char *text, size_t at)
{
    const char *s = text + at;
    unsigned parts[4];
    size_t n = 0;

    for (int part = 0; part < 4; part++) {
        size_t digits = 0;

        if (part && s[n++] != '.')
            return 0;
        for (parts[part] = 0; isdigit((unsigned char)s[n]) && digits < 4; digits++)
            parts[part] = parts[part] * 10 + (unsigned)(s[n++] - '0');
        if (!digits || digits > 3 || parts[part] > 255)
            return 0;
    }
    /* loopback, any, masks and multicast name no machine */
    if (parts[0] == 127 || parts[0] == 0 || parts[0] >= 224 || !v4_stands_alone(text, at, n) ||
        follows_version(text, at))
        return 0;
    return n;
}

static size_t mac_at(const char *text, size_t at)
{
    const char *s = text + at;
    bool zero = true;

    for (size_t i = 0; i < MAC_LENGTH; i++) {
        if (i % 3 == 2 ? s[i] != s[2] || (s[i] != ':' && s[i] != '-') : !isxdigit((unsigned char)s[i]))
            return 0;
        zero &= i % 3 == 2 || s[i] == '0';
    }
    return zero || is_alnum(s[MAC_LENGTH]) || s[MAC_LENGTH] == s[2] ? 0 : MAC_LENGTH;
}

static size_t v6_at(const char *text, size_t at)
{
    char copy[V6_LONGEST];
    unsigned char address[16];
    static const unsigned char loopback[16] = {[15] = 1}, any[16];
    size_t length = 0, groups = 0;
    bool digit = false;

    while (length < sizeof copy && text[at + length] && strchr("0123456789abcdefABCDEF:.", text[at + length]))
        length++;
    while (length > 1 &&
           (text[at + length - 1] == '.' || (text[at + length - 1] == ':' && text[at + length - 2] != ':')))
        length--;
    if (length < 4 || length >= sizeof copy || is_label(text[at + length]))
        return 0;
    for (size_t i = 0; i < length; i++) {
        groups += text[at + i] != ':' && (!i || text[at + i - 1] == ':');
        digit |= isdigit((unsigned char)text[at + i]) != 0;
    }
    memcpy(copy, text + at, length);
    copy[length] = '\0';
    if (!digit || inet_pton(AF_INET6, copy, address) != 1 || !memcmp(address, loopback, 16) ||
        !memcmp(address, any, 16))
        return 0;
    /* fe80::1 and the like are two groups; "a1::b2" may be anything */
    return groups >= V6_GROUPS || address[0] == 0xfe || (address[0] & 0xfe) == 0xfc || address[0] == 0x20 ? length : 0;
}

/* --- names --- */

/* The length of a name of several labels at S; *LAST: where the last one begins. 0: none. */
static size_t domain_at(const char *s, size_t *last)
{
    size_t n = 0, labels = 0;

    while (n < NAME_MOST) {
        size_t label = 0;

        while (label < LABEL_MOST && (is_alnum(s[n + label]) || (label && s[n + label] == '-')))
            label++;
        if (!label || label == LABEL_MOST)
            break;
        *last = n;
        n += label;
        labels++;
        if (s[n] != '.' || !is_alnum(s[n + 1]))
            break;
        n++;
    }
    return labels > 1 && s[n] != '_' ? n : 0;
}

static bool is_one_of(const char *word, size_t length, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == length && strncasecmp(word, list[i], length) == 0)
            return true;
    return false;
}

/* Top-level names that no public server has: RFC 6762 appendix G, and ICANN's "internal". */
static bool is_private(const char *word, size_t length)
{
    static const char *const names[] = {"internal", "local", "lan", "intranet", "intra", "corp", "localnet"};

    return is_one_of(word, length, names, sizeof names / sizeof *names);
}

/* "threading.local" and "sun.internal" are names in programs: a host has a port, stands in a URL, or is numbered. */
static bool host_like(const char *text, size_t at, size_t length)
{
    const char *s = text + at;

    if (at && text[at - 1] == '/')
        return at > 1 && text[at - 2] == '/';
    return (at && text[at - 1] == '@') || (s[length] == ':' && isdigit((unsigned char)s[length + 1])) ||
           strcspn(s, "-0123456789") < length;
}

static size_t private_host_at(const char *text, size_t at)
{
    size_t last = 0, length = domain_at(text + at, &last);

    return length && host_like(text, at, length) && is_private(text + at + last, length - last) ? length : 0;
}

/* Behind an @ that is no host: "getty@tty1.service" (systemd.unit(5)), "pkg@1.2.3-rc.one". */
static bool is_no_mail_domain(const char *domain, const char *top, size_t length)
{
    static const char *const units[] = {"service", "socket", "timer", "mount", "slice", "scope", "target", "path"};

    for (size_t i = 0; i < length; i++)
        if (!isalpha((unsigned char)top[i]))
            return true;
    return length < 2 || is_one_of(top, length, units, sizeof units / sizeof *units) ||
           strspn(domain + (domain[0] == 'v'), "0123456789") > 0;
}

static size_t mail_at(const char *text, size_t at)
{
    const char *s = text + at;
    size_t local = 0, last = 0, length;

    while (local < LABEL_MOST && (is_label(s[local]) || s[local] == '.' || s[local] == '+'))
        local++;
    if (!local || s[local] != '@' || (at && strchr("/.+@$:", text[at - 1])))
        return 0;
    length = domain_at(s + local + 1, &last);
    if (!length || is_no_mail_domain(s + local + 1, s + local + 1 + last, length - last))
        return 0;
    /* "git@host:path" names an account of a service, as does every "git@" */
    return local == 3 && strncmp(s, "git", 3) == 0 ? 0 : local + 1 + length;
}

static size_t person_at(const char *text, size_t at)
{
    size_t length = 0;

    if ((at < 6 || strncmp(text + at - 6, "/home/", 6) != 0) && (at < 7 || strncmp(text + at - 7, "/Users/", 7) != 0))
        return 0;
    while (length <= PERSON_MOST && (is_label(text[at + length]) || (text[at + length] == '.' && length)))
        length++;
    return length > PERSON_MOST ? 0 : length;
}

enum address_kind redact_address_at(const char *text, size_t at, size_t *length)
{
    char before = at ? text[at - 1] : ' ';

    if (before == '/' && (*length = person_at(text, at)))
        return ADDRESS_PERSON;
    if (is_label(before) || (!is_alnum(text[at]) && text[at] != ':'))
        return ADDRESS_NONE;
    if ((*length = mac_at(text, at)) || (*length = v4_at(text, at)) ||
        (before != ':' && before != '.' && (*length = v6_at(text, at))))
        return ADDRESS_NETWORK;
    if ((*length = mail_at(text, at)))
        return ADDRESS_MAIL;
    if (before != '.' && (*length = private_host_at(text, at)))
        return ADDRESS_HOST;
    return ADDRESS_NONE;
}
