#include "shelltext.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MOST = 256 };

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NEXT, /* ; & newline ;; */
    TOKEN_OR,   /* || */
    TOKEN_MORE, /* && and |: the list goes on */
    TOKEN_OPEN, /* ( $( ` */
    TOKEN_CLOSE,
};

struct reader {
    const char *at;
    size_t line;
    char word[WORD_MOST]; /* of TOKEN_WORD, its quotes taken away; a longer one is cut off */
};

static void skip_blanks(struct reader *reader)
{
    for (;;) {
        if (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r') {
            reader->at++;
        } else if (reader->at[0] == '\\' && reader->at[1] == '\n') {
            reader->at += 2;
            reader->line++;
        } else if (*reader->at == '#') {
            reader->at += strcspn(reader->at, "\n");
        } else {
            return;
        }
    }
}

/* What stands between quotes. */
static void read_quoted(struct reader *reader, char quote, size_t *size)
{
    for (reader->at++; *reader->at && *reader->at != quote; reader->at++) {
        if (quote == '"' && *reader->at == '\\' && reader->at[1])
            reader->at++;
        if (*reader->at == '\n')
            reader->line++;
        if (*size + 1 < WORD_MOST)
            reader->word[(*size)++] = *reader->at;
    }
    if (*reader->at)
        reader->at++;
}

/* A redirection is part of a word here: ">&2", "2>/dev/null", "&>x". */
static enum token_kind read_word(struct reader *reader)
{
    size_t size = 0;

    while (*reader->at && !strchr(" \t\r\n;|()`", *reader->at)) {
        char c = *reader->at;

        if (c == '$' && reader->at[1] == '(')
            break;
        if (c == '&' && reader->at[1] != '>' && (size == 0 || !strchr("<>", reader->word[size - 1])))
            break;
        if (c == '\'' || c == '"') {
            read_quoted(reader, c, &size);
            continue;
        }
        if (c == '\\' && reader->at[1] == '\n') {
            reader->line++;
            reader->at += 2;
            continue;
        }
        if (c == '\\' && reader->at[1])
            c = *++reader->at;
        if (size + 1 < WORD_MOST)
            reader->word[size++] = c;
        reader->at++;
    }
    reader->word[size] = '\0';
    return TOKEN_WORD;
}

static enum token_kind next_token(struct reader *reader)
{
    const char *at;

    skip_blanks(reader);
    at = reader->at;
    switch (*at) {
    case '\0':
        return TOKEN_END;
    case '\n':
        reader->line++;
        reader->at++;
        return TOKEN_NEXT;
    case ';':
        reader->at++;
        return TOKEN_NEXT;
    case '|':
        reader->at += at[1] == '|' || at[1] == '&' ? 2 : 1;
        return at[1] == '|' ? TOKEN_OR : TOKEN_MORE;
    case '&':
        if (at[1] == '>')
            return read_word(reader);
        reader->at += at[1] == '&' ? 2 : 1;
        return at[1] == '&' ? TOKEN_MORE : TOKEN_NEXT;
    case '(':
    case '`': /* that one closes, too; what it holds is one command either way */
        reader->at++;
        return TOKEN_OPEN;
    case ')':
        reader->at++;
        return TOKEN_CLOSE;
    case '$':
        if (at[1] == '(') {
            reader->at += 2;
            return TOKEN_OPEN;
        }
        return read_word(reader);
    default:
        return read_word(reader);
    }
}

static bool one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

/* Behind them a command's name follows. */
static bool goes_before(const char *word)
{
    static const char *const words[] = {"if",   "elif", "while", "until",   "!",    "then",  "do",
                                        "else", "{",    "exec",  "command", "time", "nohup", NULL};

    return one_of(word, words);
}

static bool is_assignment(const char *word)
{
    size_t n = 0;

    while (isalnum((unsigned char)word[n]) || word[n] == '_')
        n++;
    return n && word[n] == '=';
}

static bool is_redirection(const char *word)
{
    return word[strspn(word, "0123456789&")] == '>' || word[strspn(word, "0123456789&")] == '<';
}

/* The command that stands behind "||" does another thing than to say so and to end. */
static bool takes_its_place(struct reader *reader)
{
    static const char *const ends[] = {"exit",  "return", "echo",  "printf", "die", "false", "error", "err",
                                       "fatal", "fail",   "usage", "warn",   "log", "abort", "break", NULL};
    bool assigned = false; /* "|| have_tool=no" */

    for (;;) {
        enum token_kind kind = next_token(reader);

        if (kind == TOKEN_OPEN || (kind == TOKEN_NEXT && !assigned))
            continue;
        if (kind != TOKEN_WORD)
            return assigned;
        if (!goes_before(reader->word) && !is_assignment(reader->word) && !is_redirection(reader->word))
            return !one_of(reader->word, ends);
        assigned |= is_assignment(reader->word);
    }
}

/* Of a command that READER stands behind: another one comes behind the "||" of its list. */
static bool has_other(struct reader reader)
{
    bool begins = false, joined = false;

    for (;;) {
        enum token_kind kind = next_token(&reader);

        if (kind == TOKEN_NEXT && joined) /* "a |" and the rest in the next line */
            continue;
        joined = kind == TOKEN_MORE;
        switch (kind) {
        case TOKEN_OR:
            return takes_its_place(&reader);
        case TOKEN_NEXT: /* "{ tool; } ||" goes on behind the brace */
            begins = true;
            break;
        case TOKEN_WORD:
            if (begins && strcmp(reader.word, "}") != 0)
                return false;
            begins = false;
            break;
        case TOKEN_CLOSE:
        case TOKEN_MORE:
            begins = false;
            break;
        case TOKEN_OPEN:
            if (begins)
                return false;
            break;
        case TOKEN_END:
            return false;
        }
    }
}

/* The words of the command that READER stands behind are ARGS, as far as they say themselves what they are. */
static bool has_arguments(struct reader reader, const char *const *args)
{
    enum token_kind kind;

    while ((kind = next_token(&reader)) == TOKEN_WORD) {
        if (is_redirection(reader.word))
            continue;
        if (strpbrk(reader.word, "$*?[~{"))
            return true;
        if (!*args || strcmp(*args++, reader.word) != 0)
            return false;
    }
    return !*args || kind == TOKEN_OPEN;
}

struct count {
    size_t all, provided, in_line, in_line_provided;
};

struct state {
    bool first;     /* a command's name may come */
    bool condition; /* between if and then, while and do */
    bool negated;   /* behind "!" */
};

static void read_first(struct state *state, const char *word)
{
    static const char *const begin[] = {"if", "elif", "while", "until", NULL}, *const end[] = {"then", "do", "else",
                                                                                               NULL};

    if (one_of(word, begin))
        state->condition = true;
    if (one_of(word, end))
        state->condition = false;
    state->negated |= strcmp(word, "!") == 0;
    state->first = goes_before(word) || is_assignment(word) || is_redirection(word);
}

static void count_in(const char *text, const char *command, const char *const *args, size_t line, struct count *ret)
{
    struct reader reader = {.at = text, .line = 1};
    struct state state = {.first = true};
    enum token_kind kind;

    while ((kind = next_token(&reader)) != TOKEN_END) {
        if (kind != TOKEN_WORD) {
            state.first = true;
            state.negated &= kind == TOKEN_OPEN;
            continue;
        }
        if (!state.first)
            continue;
        if (strcmp(reader.word, command) == 0 && (!args || has_arguments(reader, args))) {
            bool provided = state.condition || state.negated || has_other(reader);

            ret->all++;
            ret->provided += provided;
            ret->in_line += reader.line == line;
            ret->in_line_provided += reader.line == line && provided;
        }
        read_first(&state, reader.word);
    }
}

bool shelltext_provides(const char *text, const char *command, const char *const *args, size_t line)
{
    struct count count = {0};

    if (strnlen(text, SHELLTEXT_MOST) == SHELLTEXT_MOST)
        return false;
    count_in(text, command, args, line, &count);
    return count.in_line ? count.in_line == count.in_line_provided : count.all && count.all == count.provided;
}
