#include "v8stack.h"

#include "alloc.h"
#include "codefile.h"

#include <string.h>

enum constant {
    FP_FUNCTION,
    FP_BYTECODE,
    MAP_OF,
    INSTANCE_TYPE,
    SHARED,
    FUNCTION_DATA,
    NAME_OR_SCOPE,
    SCRIPT_OF,
    SCRIPT_NAME,
    STRING_LENGTH,
    ONE_BYTE_CHARS,
    TWO_BYTE_CHARS,
    CONS_FIRST,
    CONS_SECOND,
    THIN_ACTUAL,
    FIRST_NONSTRING,
    REPRESENTATION_MASK,
    ENCODING_MASK,
    ONE_BYTE_TAG,
    SEQUENTIAL_TAG,
    CONS_TAG,
    THIN_TAG,
    TYPE_FUNCTION,
    TYPE_SHARED,
    TYPE_BYTECODE,
    TYPE_SCOPE,
    TYPE_SCRIPT,
    SCOPE_LOCALS,
    SCOPE_FIRST,
    SMI_SHIFT,
    SMI_VALUE_SHIFT,
    NEEDED,
    TYPE_CODE = NEEDED, /* those that not every version has */
    CODE_BYTECODE,
    TYPE_INTERPRETER_DATA,
    CONSTANT_COUNT,
};

static const char *const names[CONSTANT_COUNT] = {
    [FP_FUNCTION] = "v8dbg_off_fp_function",
    [FP_BYTECODE] = "v8dbg_off_fp_bytecode_array",
    [MAP_OF] = "v8dbg_class_HeapObject__map__Map",
    [INSTANCE_TYPE] = "v8dbg_class_Map__instance_type__uint16_t",
    [SHARED] = "v8dbg_class_JSFunction__shared__SharedFunctionInfo",
    [FUNCTION_DATA] = "v8dbg_class_SharedFunctionInfo__function_data__Object",
    [NAME_OR_SCOPE] = "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Object",
    [SCRIPT_OF] = "v8dbg_class_SharedFunctionInfo__script_or_debug_info__HeapObject",
    [SCRIPT_NAME] = "v8dbg_class_Script__name__Object",
    [STRING_LENGTH] = "v8dbg_class_String__length__int32_t",
    [ONE_BYTE_CHARS] = "v8dbg_class_SeqOneByteString__chars__char",
    [TWO_BYTE_CHARS] = "v8dbg_class_SeqTwoByteString__chars__char",
    [CONS_FIRST] = "v8dbg_class_ConsString__first__String",
    [CONS_SECOND] = "v8dbg_class_ConsString__second__String",
    [THIN_ACTUAL] = "v8dbg_class_ThinString__actual__String",
    [FIRST_NONSTRING] = "v8dbg_FirstNonstringType",
    [REPRESENTATION_MASK] = "v8dbg_StringRepresentationMask",
    [ENCODING_MASK] = "v8dbg_StringEncodingMask",
    [ONE_BYTE_TAG] = "v8dbg_OneByteStringTag",
    [SEQUENTIAL_TAG] = "v8dbg_SeqStringTag",
    [CONS_TAG] = "v8dbg_ConsStringTag",
    [THIN_TAG] = "v8dbg_ThinStringTag",
    [TYPE_FUNCTION] = "v8dbg_type_JSFunction__JS_FUNCTION_TYPE",
    [TYPE_SHARED] = "v8dbg_type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE",
    [TYPE_BYTECODE] = "v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE",
    [TYPE_SCOPE] = "v8dbg_type_ScopeInfo__SCOPE_INFO_TYPE",
    [TYPE_SCRIPT] = "v8dbg_type_Script__SCRIPT_TYPE",
    [SCOPE_LOCALS] = "v8dbg_scopeinfo_idx_ncontextlocals",
    [SCOPE_FIRST] = "v8dbg_scopeinfo_idx_first_vars",
    [SMI_SHIFT] = "v8dbg_SmiShiftSize",
    [SMI_VALUE_SHIFT] = "v8dbg_SmiValueShift",
    [TYPE_CODE] = "v8dbg_type_Code__CODE_TYPE",
    [CODE_BYTECODE] = "v8dbg_class_Code__bytecode_or_interpreter_data__HeapObject",
    [TYPE_INTERPRETER_DATA] = "v8dbg_type_InterpreterData__INTERPRETER_DATA_TYPE",
};

enum {
    SLOT = 8,         /* bytes of a field; engines with compressed pointers have other offsets, and fail the checks */
    LOCALS_MOST = 75, /* more are kept in another way (kScopeInfoMaxInlinedLocalNamesSize) */
    SLOTS_READ = 2 * LOCALS_MOST + 16,
    STRING_MOST = 512,
    STRING_DEPTH = 8,
};

struct v8stack {
    int32_t value[CONSTANT_COUNT];
    bool has[CONSTANT_COUNT];
};

struct v8stack *v8stack_create(struct codefile *file, uint64_t bias, const struct mem *mem)
{
    uint64_t addrs[CONSTANT_COUNT];
    struct v8stack *v8 = xcalloc(1, sizeof *v8);

    codefile_objects(file, names, CONSTANT_COUNT, addrs);
    for (size_t i = 0; i < CONSTANT_COUNT; i++)
        v8->has[i] = addrs[i] && mem_read(mem, addrs[i] + bias, &v8->value[i], sizeof v8->value[i]) == 0;
    for (size_t i = 0; i < NEEDED; i++)
        if (!v8->has[i]) {
            free(v8);
            return NULL;
        }
    return v8;
}

void v8stack_destroy(struct v8stack *v8)
{
    free(v8);
}

/* --- objects: addresses are tagged with 1, small integers with 0 --- */

struct heap {
    const struct v8stack *v8;
    const struct mem *mem;
};

static bool is_object(uint64_t word)
{
    return (word & 3) == 1;
}

static int64_t integer(const struct heap *heap, uint64_t word)
{
    unsigned shift = (unsigned)(heap->v8->value[SMI_SHIFT] + heap->v8->value[SMI_VALUE_SHIFT]) & 63;

    return (word & 1) ? -1 : (int64_t)word >> shift;
}

static bool field(const struct heap *heap, uint64_t object, enum constant offset, uint64_t *ret)
{
    return is_object(object) &&
           mem_read(heap->mem, object - 1 + (uint64_t)(int64_t)heap->v8->value[offset], ret, SLOT) == 0;
}

/* Its instance type, -1 where it is no object. */
static int type_of(const struct heap *heap, uint64_t object)
{
    uint64_t map;
    uint16_t type;

    if (!field(heap, object, MAP_OF, &map) || !is_object(map) ||
        mem_read(heap->mem, map - 1 + (uint64_t)heap->v8->value[INSTANCE_TYPE], &type, sizeof type))
        return -1;
    return type;
}

static bool is_type(const struct heap *heap, uint64_t object, enum constant type)
{
    return heap->v8->has[type] && type_of(heap, object) == heap->v8->value[type];
}

static bool is_string(const struct heap *heap, uint64_t object)
{
    int type = type_of(heap, object);

    return type >= 0 && type < heap->v8->value[FIRST_NONSTRING];
}

/* Appends STRING to what stands in BUF (of STRING_MOST bytes); its two-byte characters that are not ASCII as "?". */
static bool add_string(const struct heap *heap, uint64_t string, char *buf, size_t *n, int depth)
{
    const int32_t *value = heap->v8->value;
    int type = type_of(heap, string), shape = type & value[REPRESENTATION_MASK];
    bool narrow = (type & value[ENCODING_MASK]) == value[ONE_BYTE_TAG];
    uint64_t first, second;
    int32_t length;

    if (!is_string(heap, string) || depth > STRING_DEPTH)
        return false;
    if (shape == value[THIN_TAG])
        return field(heap, string, THIN_ACTUAL, &first) && add_string(heap, first, buf, n, depth + 1);
    if (shape == value[CONS_TAG])
        return field(heap, string, CONS_FIRST, &first) && field(heap, string, CONS_SECOND, &second) &&
               add_string(heap, first, buf, n, depth + 1) && add_string(heap, second, buf, n, depth + 1);
    if (shape != value[SEQUENTIAL_TAG] ||
        mem_read(heap->mem, string - 1 + (uint64_t)value[STRING_LENGTH], &length, sizeof length) || length < 0 ||
        (size_t)length >= STRING_MOST - *n)
        return false;
    if (narrow) {
        if (mem_read(heap->mem, string - 1 + (uint64_t)value[ONE_BYTE_CHARS], buf + *n, (size_t)length))
            return false;
    } else {
        uint16_t wide[STRING_MOST];

        if (mem_read(heap->mem, string - 1 + (uint64_t)value[TWO_BYTE_CHARS], wide, (size_t)length * 2))
            return false;
        for (int32_t i = 0; i < length; i++)
            buf[*n + (size_t)i] = wide[i] < 0x80 ? (char)wide[i] : '?';
    }
    *n += (size_t)length;
    return true;
}

static char *string_of(const struct heap *heap, uint64_t string)
{
    char buf[STRING_MOST];
    size_t n = 0;

    return add_string(heap, string, buf, &n, 0) && n && !memchr(buf, 0, n) ? xstrndup(buf, n) : NULL;
}

/* --- a function's name --- */

/* The first slot from AT on that is no small integer; STOP where all are. */
static size_t skip_integers(const uint64_t *slots, size_t at, size_t stop)
{
    while (at < stop && !(slots[at] & 1))
        at++;
    return at;
}

/* A scope holds, behind its counts: positions, the names of its context's locals, a number for each of these, at most
 * one more number, and then the function's own name or what was inferred for it (src/objects/scope-info.tq). What is
 * not there is left out. */
static char *name_in_scope(const struct heap *heap, uint64_t scope)
{
    uint64_t slots[SLOTS_READ];
    size_t first = (size_t)heap->v8->value[SCOPE_FIRST], at;
    int64_t locals;
    char *name;

    if (!is_type(heap, scope, TYPE_SCOPE) || first > 8 || heap->v8->value[SCOPE_LOCALS] < 0 ||
        heap->v8->value[SCOPE_LOCALS] > 8)
        return NULL;
    memset(slots, 0, sizeof slots);
    for (size_t n = sizeof slots; n >= 16 * SLOT; n /= 2) /* it may stand at the end of a page */
        if (!mem_read(heap->mem, scope - 1 + SLOT, slots, n))
            break;
    locals = integer(heap, slots[heap->v8->value[SCOPE_LOCALS]]);
    if (locals < 0 || locals > LOCALS_MOST)
        return NULL;
    at = skip_integers(slots, first, first + 6);
    if (locals) {
        for (int64_t i = 0; i < locals; i++)
            if (!is_string(heap, slots[at++]))
                return NULL;
        for (int64_t i = 0; i < locals; i++)
            if (slots[at++] & 1)
                return NULL;
        at = skip_integers(slots, at, at + 4);
    }
    /* A function without a name of its own has an empty one; then a number, and what was inferred ("Module._load"). */
    name = string_of(heap, slots[at]);
    if (!name && is_string(heap, slots[at]) && !(slots[at + 1] & 1))
        name = string_of(heap, slots[at + 2]);
    return name;
}

/* What FUNCTION_DATA of a function that runs comes to: its bytecode. */
static uint64_t bytecode_of(const struct heap *heap, uint64_t data)
{
    for (int i = 0; i < 3 && !is_type(heap, data, TYPE_BYTECODE); i++) {
        bool read = false;

        if (is_type(heap, data, TYPE_CODE) && heap->v8->has[CODE_BYTECODE])
            read = field(heap, data, CODE_BYTECODE, &data);
        else if (is_type(heap, data, TYPE_INTERPRETER_DATA)) /* its first field */
            read = mem_read(heap->mem, data - 1 + SLOT, &data, SLOT) == 0;
        if (!read)
            return 0;
    }
    return data;
}

bool v8stack_name(const struct v8stack *v8, const struct mem *heap_mem, const struct mem *mem, uint64_t fp_addr,
                  struct frame *ret)
{
    const struct heap heap = {v8, heap_mem};
    uint64_t function, bytecode, shared, data, name, script, file;

    if (mem_read(mem, fp_addr + (uint64_t)(int64_t)v8->value[FP_FUNCTION], &function, SLOT) ||
        mem_read(mem, fp_addr + (uint64_t)(int64_t)v8->value[FP_BYTECODE], &bytecode, SLOT) ||
        !is_type(&heap, function, TYPE_FUNCTION) || !is_type(&heap, bytecode, TYPE_BYTECODE) ||
        !field(&heap, function, SHARED, &shared) || !is_type(&heap, shared, TYPE_SHARED) ||
        !field(&heap, shared, FUNCTION_DATA, &data) || bytecode_of(&heap, data) != bytecode ||
        !field(&heap, shared, NAME_OR_SCOPE, &name))
        return false;
    ret->symbol = is_string(&heap, name) ? string_of(&heap, name) : name_in_scope(&heap, name);
    ret->file = field(&heap, shared, SCRIPT_OF, &script) && is_type(&heap, script, TYPE_SCRIPT) &&
                        field(&heap, script, SCRIPT_NAME, &file)
                    ? string_of(&heap, file)
                    : NULL;
    return true;
}
