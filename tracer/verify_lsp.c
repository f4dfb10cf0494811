/* The language server: it has to answer "initialize", take an open file, and say something of a name in it ("hover"),
 * or of the file ("diagnostics"). Language Server Protocol 3.17. */
#include "verify.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>
#include <reports/json_text.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    PLACES_MOST = 24,    /* of names that are asked about */
    FILE_MOST = 4 << 20, /* bytes of a file that is opened */
    SHUTDOWN_MS = 2000,
    SETTINGS_MOST = 1000,
    ID_NONE = -1,
    ID_INITIALIZE = 1,
    ID_SHUTDOWN = 2,
    ID_HOVER = 10 /* and on: the places */
};

struct session {
    struct verify_talk *talk;
    struct frames frames;
    struct json_line message;
    char *root_uri, *file_uri, *text;
    struct verify_place places[PLACES_MOST];
    size_t place_count, asked;
    bool hovers;     /* it says that it can */
    bool diagnosed;  /* it has said something of the file */
    bool complained; /* … of an error (MessageType 1) */
    double initialized;
};

static char *file_uri(const char *path)
{
    struct text uri = {0};

    text_add(&uri, "file://");
    text_add_uri(&uri, path);
    return uri.v;
}

/* The name by which the protocol calls the language of PATH. */
static const char *language_of(const char *path)
{
    static const struct {
        const char *ending, *id;
    } languages[] = {
        {".go", "go"},         {".c", "c"},       {".h", "c"},       {".cc", "cpp"},        {".cpp", "cpp"},
        {".hpp", "cpp"},       {".py", "python"}, {".rs", "rust"},   {".js", "javascript"}, {".mjs", "javascript"},
        {".ts", "typescript"}, {".java", "java"}, {".lua", "lua"},   {".rb", "ruby"},       {".sh", "shellscript"},
        {".zig", "zig"},       {".json", "json"}, {".html", "html"}, {".css", "css"},
    };
    const char *dot = strrchr(path_base(path), '.');

    for (size_t i = 0; dot && i < sizeof languages / sizeof *languages; i++)
        if (strcasecmp(dot, languages[i].ending) == 0)
            return languages[i].id;
    return "plaintext";
}

/* A message with METHOD and, where ID is not 0, an answer that is wanted; PARAMS is JSON. */
static void send(struct session *session, int id, const char *method, const char *params)
{
    struct text message = {0}, frame = {0};

    text_add(&message, "{\"jsonrpc\":\"2.0\",");
    if (id)
        text_addf(&message, "\"id\":%d,", id);
    text_addf(&message, "\"method\":\"%s\"", method);
    if (params)
        text_addf(&message, ",\"params\":%s", params);
    text_add(&message, "}");
    frame_write(&frame, message.v);
    peer_send(session->talk->peer, frame.v, frame.n);
    text_deinit(&message);
    text_deinit(&frame);
}

/* As many settings as were asked for, none of which is set. */
static void add_settings(const struct json_line *line, struct text *to)
{
    const struct json_value *params = json_line_get(line, "params");
    const struct json_value *items = params ? json_line_within(line, params, "items") : NULL;
    size_t count = items && items->type == JSON_NESTED ? (size_t)items->number : 1;

    text_add(to, ",\"result\":[");
    for (size_t i = 0; i < count && i < SETTINGS_MOST; i++)
        text_add(to, i ? ",null" : "null");
    text_add(to, "]}");
}

/* What the server asks of its client gets the least that is an answer. */
static void answer(struct session *session, const struct json_value *id, const char *method)
{
    bool known = strcmp(method, "client/registerCapability") == 0 ||
                 strcmp(method, "client/unregisterCapability") == 0 || strncmp(method, "window/", 7) == 0 ||
                 strcmp(method, "workspace/configuration") == 0;
    struct text message = {0}, frame = {0};

    text_add(&message, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id->type == JSON_STRING)
        json_text_add(&message, id->string);
    else
        text_addf(&message, "%.0f", id->number);
    if (!known)
        text_add(&message, ",\"error\":{\"code\":-32601,\"message\":\"no such method\"}}");
    else if (strcmp(method, "workspace/configuration") == 0)
        add_settings(&session->message, &message);
    else
        text_add(&message, ",\"result\":null}");
    frame_write(&frame, message.v);
    peer_send(session->talk->peer, frame.v, frame.n);
    text_deinit(&message);
    text_deinit(&frame);
}

/* A string within the object that KEY names. */
static const char *string_in(const struct json_line *line, const char *key, const char *inner)
{
    const struct json_value *object = json_line_get(line, key);
    const struct json_value *value = object ? json_line_within(line, object, inner) : NULL;

    return value && value->type == JSON_STRING ? value->string : NULL;
}

/* Notifications that matter: diagnostics of the file, and what the server complains of (MessageType 1 and 2). */
static void take_notification(struct session *session, const char *method)
{
    const struct json_line *line = &session->message;
    const struct json_value *params = json_line_get(line, "params");
    const char *text = string_in(line, "params", "message"), *uri = string_in(line, "params", "uri");
    const struct json_value *type = params ? json_line_within(line, params, "type") : NULL;

    if (strcmp(method, "textDocument/publishDiagnostics") == 0)
        session->diagnosed |= uri && strcmp(uri, session->file_uri) == 0;
    else if (text && strncmp(method, "window/", 7) == 0 && type && type->type == JSON_NUMBER && type->number <= 2) {
        verify_note(session->talk, text);
        session->complained |= type->number <= 1;
    }
}

/* The answer to request ID (ID_NONE: until there were diagnostics); what else comes meanwhile is dealt with. False: it
 * failed. */
static bool receive(struct session *session, int id, const char *doing)
{
    while (!(id == ID_NONE && session->diagnosed) &&
           verify_receive(session->talk, &session->frames, &session->message, doing)) {
        const char *method = json_line_string(&session->message, "method");
        const struct json_value *number = json_line_get(&session->message, "id");

        if (method && number)
            answer(session, number, method);
        else if (method)
            take_notification(session, method);
        else if (json_line_int(&session->message, "id", 0) == id)
            return true;
    }
    return id == ID_NONE && session->diagnosed;
}

/* Whether the answer that came is an error; its words are noted. */
static bool is_error(struct session *session)
{
    const struct json_value *error = json_line_get(&session->message, "error");
    const char *text = string_in(&session->message, "error", "message");

    if (!error || error->type == JSON_NULL)
        return false;
    verify_note(session->talk, text ? text : "an error without a message");
    return true;
}

static bool initialize(struct session *session)
{
    struct text params = {0};
    const struct json_value *result, *hovers;

    text_addf(&params, "{\"processId\":%d,\"rootUri\":", (int)getpid());
    json_text_add(&params, session->root_uri);
    text_add(&params, ",\"capabilities\":{\"textDocument\":{\"hover\":{\"contentFormat\":[\"plaintext\",\"markdown\"]},"
                      "\"publishDiagnostics\":{}}},\"workspaceFolders\":[{\"name\":\"verify\",\"uri\":");
    json_text_add(&params, session->root_uri);
    text_add(&params, "}]}");
    send(session, ID_INITIALIZE, "initialize", params.v);
    text_deinit(&params);
    if (!receive(session, ID_INITIALIZE, "it answered initialize"))
        return false;
    if (is_error(session))
        return verify_failed(session->talk, "answers initialize with an error");
    result = json_line_get(&session->message, "result");
    if (!result || result->type != JSON_NESTED)
        return verify_failed(session->talk, "answers initialize without a result");
    result = json_line_within(&session->message, result, "capabilities");
    hovers = result ? json_line_within(&session->message, result, "hoverProvider") : NULL;
    session->hovers = hovers && hovers->type != JSON_FALSE && hovers->type != JSON_NULL;
    session->initialized = verify_elapsed(session->talk);
    send(session, 0, "initialized", "{}");
    return true;
}

static void open_file(struct session *session)
{
    struct text params = {0};

    text_add(&params, "{\"textDocument\":{\"uri\":");
    json_text_add(&params, session->file_uri);
    text_addf(&params, ",\"languageId\":\"%s\",\"version\":1,\"text\":", language_of(session->talk->module->open));
    json_text_add(&params, session->text);
    text_add(&params, "}}");
    send(session, 0, "textDocument/didOpen", params.v);
    text_deinit(&params);
}

static void ask(struct session *session, const struct verify_place *place)
{
    struct text params = {0};

    text_add(&params, "{\"textDocument\":{\"uri\":");
    json_text_add(&params, session->file_uri);
    text_addf(&params, "},\"position\":{\"line\":%u,\"character\":%u}}", place->line, place->unit);
    send(session, ID_HOVER + (int)session->asked, "textDocument/hover", params.v);
    text_deinit(&params);
}

static bool passed(struct session *session, const char *what, const struct verify_place *place)
{
    const char *name = path_base(session->talk->module->open);
    CLEANUP_FREE char *line = place ? xasprintf(":%u", place->line + 1) : xstrdup("");

    free(session->talk->result->seen);
    session->talk->result->seen = xasprintf("answers initialize after %.2f s, has %s for %s%s after %.2f s",
                                            session->initialized, what, name, line, verify_elapsed(session->talk));
    return true;
}

/* Whether the answer that came says anything: Hover.contents is a text, an object with one, or a list. */
static bool says_something(const struct json_line *line)
{
    const struct json_value *result = json_line_get(line, "result");
    const struct json_value *contents = result ? json_line_within(line, result, "contents") : NULL;
    const struct json_value *value = contents ? json_line_within(line, contents, "value") : NULL;

    if (value && value->type == JSON_STRING)
        return value->size > 0;
    return contents && (contents->type == JSON_STRING ? contents->size > 0 : contents->type == JSON_NESTED);
}

/* Names of the file, one after the other, until it knows something of one; then what it finds in the file as a whole,
 * as of a server that has no hover. */
static bool look(struct session *session)
{
    size_t errors = 0;

    for (; session->hovers && session->asked < session->place_count; session->asked++) {
        const struct verify_place *place = &session->places[session->asked];

        ask(session, place);
        if (!receive(session, ID_HOVER + (int)session->asked, "it answered hover"))
            return false;
        if (is_error(session))
            errors++;
        else if (says_something(&session->message))
            return passed(session, "a hover", place);
    }
    if (errors)
        return verify_failed(session->talk, "answers initialize, but hover with an error");
    if (!receive(session, ID_NONE, "it had a hover or diagnostics"))
        return false;
    if (session->complained)
        return verify_failed(session->talk, "answers initialize, but has no hover and complains");
    return passed(session, "diagnostics", NULL);
}

static bool talk_with(struct session *session)
{
    struct verify_result *result = session->talk->result;
    char *seen;

    if (!initialize(session))
        return false;
    open_file(session);
    if (!look(session))
        return false;
    /* It has shown what it can; how it ends is no part of that. */
    seen = steal_pointer(&result->seen);
    result->seconds = verify_elapsed(session->talk);
    session->talk->deadline_ns = peer_after(SHUTDOWN_MS);
    send(session, ID_SHUTDOWN, "shutdown", NULL);
    receive(session, ID_SHUTDOWN, "its end");
    send(session, 0, "exit", NULL);
    free(result->seen);
    result->seen = seen;
    return true;
}

static bool run(struct verify_talk *talk)
{
    const struct verify_module *module = talk->module;
    struct session session = {.talk = talk, .frames.strict = true};
    bool passes = false;

    session.text = module->open ? proc_read(module->open, FILE_MOST, NULL) : NULL;
    if (!session.text) {
        verify_failed(talk,
                      module->open ? "was not asked: %s cannot be read" : "was not asked: there is no file to open",
                      module->open);
    } else {
        session.root_uri = file_uri(module->root);
        session.file_uri = file_uri(module->open);
        session.place_count = verify_places(session.text, session.places, PLACES_MOST);
        passes = talk_with(&session);
    }
    frames_deinit(&session.frames);
    json_line_deinit(&session.message);
    free(session.root_uri);
    free(session.file_uri);
    free(session.text);
    return passes;
}

const struct verify_check verify_lsp = {"lsp", "the language server", false, run};
