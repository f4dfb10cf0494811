/* The debug adapter: it has to answer "initialize" and "launch", after which the program is ended again. Debug Adapter
 * Protocol 1.x. It talks over its pipes, or says on its standard output where it listens, as `dlv dap` does. */
#include "verify.h"

#include <probes/alloc.h>
#include <reports/json_text.h>

#include <ctype.h>
#include <string.h>

enum { ANNOUNCEMENT_MOST = 4096, LEAVE_MS = 3000 };

struct session {
    struct verify_talk *talk;
    struct frames frames;
    struct json_line message;
    int sequence;
    bool configured; /* configurationDone was sent */
    double initialized;
};

/* A request, with ARGUMENTS as JSON or NULL; gives its number. */
static int send(struct session *session, const char *command, const char *arguments)
{
    struct text message = {0}, frame = {0};

    text_addf(&message, "{\"seq\":%d,\"type\":\"request\",\"command\":\"%s\"", ++session->sequence, command);
    if (arguments)
        text_addf(&message, ",\"arguments\":%s", arguments);
    text_add(&message, "}");
    frame_write(&frame, message.v);
    peer_send(session->talk->peer, frame.v, frame.n);
    text_deinit(&message);
    text_deinit(&frame);
    return session->sequence;
}

static const char *string_of(const struct json_line *line, const struct json_value *object, const char *key)
{
    const struct json_value *value = object ? json_line_within(line, object, key) : NULL;

    return value && value->type == JSON_STRING ? value->string : NULL;
}

/* The program may be started once the adapter is ready for it; what it and the adapter print are its words. */
static void take_event(struct session *session)
{
    const char *event = json_line_string(&session->message, "event");
    const struct json_value *body = json_line_get(&session->message, "body");
    const char *output = string_of(&session->message, body, "output");

    if (event && strcmp(event, "initialized") == 0 && !session->configured) {
        session->configured = true;
        send(session, "configurationDone", NULL);
    } else if (event && strcmp(event, "output") == 0 && output) {
        verify_note(session->talk, output);
    }
}

/* The answer to request NUMBER; false: it failed. */
static bool receive(struct session *session, int number, const char *doing)
{
    while (verify_receive(session->talk, &session->frames, &session->message, doing)) {
        const char *type = json_line_string(&session->message, "type");

        if (type && strcmp(type, "event") == 0)
            take_event(session);
        else if (type && strcmp(type, "response") == 0 && json_line_int(&session->message, "request_seq", 0) == number)
            return true;
    }
    return false;
}

/* The answer that came has to be that it could be done. */
static bool is_done(struct session *session, const char *what)
{
    const struct json_line *line = &session->message;
    const struct json_value *body = json_line_get(line, "body");
    const struct json_value *error = body ? json_line_within(line, body, "error") : NULL;
    const char *text = string_of(line, error, "format");

    if (json_line_true(line, "success"))
        return true;
    text = text ? text : json_line_string(line, "message");
    if (text)
        verify_note(session->talk, text);
    return verify_failed(session->talk, "answers %s with an error", what);
}

static int send_initialize(struct session *session)
{
    return send(
        session, "initialize",
        "{\"clientID\":\"glibctrace\",\"clientName\":\"glibctrace\",\"adapterID\":\"go\",\"pathFormat\":\"path\","
        "\"linesStartAt1\":true,\"columnsStartAt1\":true,\"locale\":\"en\"}");
}

/* ---- a port ---- */

/* "…listening at: 127.0.0.1:4711": the last word of LINE where it is an address, malloced; or NULL. */
static char *address_in(const char *line, size_t n)
{
    size_t end = n, start, digits;

    while (end && isspace((unsigned char)line[end - 1]))
        end--;
    for (digits = end; digits && isdigit((unsigned char)line[digits - 1]); digits--)
        ;
    if (digits == end || digits < 2 || line[digits - 1] != ':' ||
        (!isalnum((unsigned char)line[digits - 2]) && line[digits - 2] != ']'))
        return NULL;
    for (start = digits - 1; start && !isspace((unsigned char)line[start - 1]); start--)
        ;
    return xstrndup(line + start, end - start);
}

enum announced { ANNOUNCED_PORT, ANNOUNCED_MESSAGES, ANNOUNCED_NOTHING };

/* What its standard output begins with: where it listens, or messages. Lines before that are notes. */
static enum announced announced(struct verify_talk *talk, char **address)
{
    static const char field[] = "content-";
    struct text *out = &talk->peer->out;

    for (;;) {
        const char *end = out->n ? memchr(out->v, '\n', out->n) : NULL;
        CLEANUP_FREE char *line = NULL;

        if (out->n >= sizeof field - 1 && strncasecmp(out->v, field, sizeof field - 1) == 0)
            return ANNOUNCED_MESSAGES;
        if (!end)
            return out->n > ANNOUNCEMENT_MOST ? ANNOUNCED_MESSAGES : ANNOUNCED_NOTHING; /* which it is not: an error */
        line = xstrndup(out->v, (size_t)(end - out->v));
        *address = address_in(line, strlen(line));
        out->n -= (size_t)(end + 1 - out->v);
        memmove(out->v, end + 1, out->n + 1);
        if (*address)
            return ANNOUNCED_PORT;
        verify_note(talk, line);
    }
}

/* "initialize" is sent at once, for who reads it from a pipe; to who opens a port it is said again there. */
static int open_talk(struct session *session)
{
    struct verify_talk *talk = session->talk;
    CLEANUP_FREE char *address = NULL;
    int number = send_initialize(session);
    struct err err;

    for (;;) {
        enum announced what = announced(talk, &address);
        enum peer_news news;

        if (what == ANNOUNCED_MESSAGES)
            return number;
        if (what == ANNOUNCED_PORT)
            break;
        news = peer_now() < talk->deadline_ns ? peer_wait(talk->peer, talk->deadline_ns) : PEER_LATE;
        if (news != PEER_DATA) {
            verify_cut_short(talk, news, "it answered initialize, or said where it listens");
            return -1;
        }
    }
    if (peer_connect(talk->peer, address, &err) < 0) {
        verify_failed(talk, "%s", err.text);
        talk->result->refused = steal_pointer(&address);
        return -1;
    }
    return send_initialize(session);
}

/* ---- the talk ---- */

/* The attributes are dlv's; other adapters pass over those that they do not know. */
static int send_launch(struct session *session)
{
    const struct verify_module *module = session->talk->module;
    CLEANUP_FREE char *binary = xasprintf("%s/debugged", module->scratch);
    struct text arguments = {0};
    int number;

    text_addf(&arguments,
              "{\"request\":\"launch\",\"name\":\"verify\",\"type\":\"go\",\"mode\":\"%s\",\"program\":", module->mode);
    json_text_add(&arguments, module->launch);
    text_add(&arguments, ",\"cwd\":");
    json_text_add(&arguments, module->directory);
    text_add(&arguments, ",\"output\":");
    json_text_add(&arguments, binary);
    text_add(&arguments, ",\"stopOnEntry\":true,\"console\":\"internalConsole\"}");
    number = send(session, "launch", arguments.v);
    text_deinit(&arguments);
    return number;
}

/* The program is stopped at its entry: it is ended there, before any code of the user's has run. */
static void leave(struct session *session)
{
    struct verify_result *result = session->talk->result;
    char *seen = steal_pointer(&result->seen), *words = steal_pointer(&result->words);

    session->talk->deadline_ns = peer_after(LEAVE_MS);
    receive(session, send(session, "disconnect", "{\"terminateDebuggee\":true}"), "its end");
    free(result->seen);
    free(result->words);
    result->seen = seen;
    result->words = words;
}

static bool talk_with(struct session *session)
{
    struct verify_talk *talk = session->talk;
    int number = open_talk(session);

    if (number < 0 || !receive(session, number, "it answered initialize") || !is_done(session, "initialize"))
        return false;
    session->initialized = verify_elapsed(talk);
    if (!receive(session, send_launch(session), "it answered launch"))
        return false;
    if (is_done(session, "launch")) {
        talk->result->seconds = verify_elapsed(talk);
        talk->result->seen = xasprintf("answers initialize after %.2f s, launches after %.2f s", session->initialized,
                                       talk->result->seconds);
        leave(session);
        return true;
    }
    leave(session);
    return false;
}

static bool run(struct verify_talk *talk)
{
    struct session session = {.talk = talk};
    bool passes = talk_with(&session);

    frames_deinit(&session.frames);
    json_line_deinit(&session.message);
    return passes;
}

const struct verify_check verify_dap = {"dap", "the debug adapter", true, run};
