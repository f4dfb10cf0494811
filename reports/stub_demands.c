/* What an object wants of its loader beside libraries and symbols, and a program that opens a library while it runs:
 * only there are some demands refused. For x86-64 alone, where these failures were seen. */
#include "stub_parts.h"

#include <probes/alloc.h>

#include <elf.h>
#include <string.h>

enum { NAME_MOST = 4096 };

int stub_check_demands(const struct mini_object *object, struct err *err)
{
    bool here = object->class == ELFCLASS64 && object->machine == EM_X86_64;

    if ((object->opens || object->isa_needed || object->tls_size) && !here)
        return err_set(err, "no stub of %s can be written: what it asks of its loader is known for x86-64 only",
                       object->name);
    if (object->opens && strlen(object->opens) > NAME_MOST)
        return err_set(err, "no stub is written: a name of more than %d bytes is in it", (int)NAME_MOST);
    return 0;
}

void stub_ask_loader(struct mini_object *object, const struct stub_machine *machine)
{
    const char *loader = machine && machine->loader ? path_base(machine->loader) : NULL;

    if (!object->loader_version || !loader)
        return;
    mini_object_need(object, loader);
    mini_object_need_version(object, loader, object->loader_version);
    if (object->loader_symbol)
        mini_object_undefined(object, object->loader_symbol, object->loader_version, loader);
}

size_t stub_reloc_count(const struct stub *stub)
{
    return stub->object->undefined_count + (stub->object->tls_size ? 1 : 0);
}

/* One note with one property (Linux extensions to gABI; x86-64 psABI). */
void stub_put_property(struct stub *stub)
{
    if (!stub->object->isa_needed)
        return;
    stub->property = stub_part_begin(stub, 8);
    stub_put32(stub, 4);
    stub_put32(stub, 16);
    stub_put32(stub, NT_GNU_PROPERTY_TYPE_0);
    stub_put(stub, "GNU", 4);
    stub_put32(stub, GNU_PROPERTY_X86_ISA_1_NEEDED);
    stub_put32(stub, 4);
    stub_put32(stub, stub->object->isa_needed);
    stub_put32(stub, 0);
    stub_part_end(stub, &stub->property);
}

/* Nothing of it is in the file. */
void stub_put_tls_header(struct stub *stub)
{
    stub_put32(stub, PT_TLS);
    stub_put32(stub, PF_R);
    stub_put_word(stub, 0);
    stub_put_word(stub, 0);
    stub_put_word(stub, 0);
    stub_put_word(stub, 0);
    stub_put_word(stub, stub->object->tls_size);
    stub_put_word(stub, 8);
}

/* dlopen() is in libc.so.6 since 2.34, in libdl.so.2 before, which needs libc.so.6 always; musl takes both names for
 * itself. */
struct mini_object *stub_opener(const struct mini_object *object)
{
    struct mini_object *opener = mini_object_copy(object);

    mini_object_need(opener, "libdl.so.2");
    mini_object_undefined(opener, "dlopen", NULL, NULL);
    mini_object_undefined(opener, "dlerror", NULL, NULL);
    return opener;
}

/* Where in the code an address goes, relative to the instruction behind it. */
enum { AT_NAME = 7, AT_OPEN = 18, AT_ERROR = 38, AT_NEWLINE = 73, CODE_SIZE = 106 };

static const unsigned char code[CODE_SIZE] = {
    0x48, 0x83, 0xe4, 0xf0,          /* and $-16,%rsp */
    0x48, 0x8d, 0x3d, 0,    0, 0, 0, /* lea name(%rip),%rdi */
    0xbe, 2,    0,    0,    0,       /* mov $RTLD_NOW,%esi */
    0xff, 0x15, 0,    0,    0, 0,    /* call *dlopen(%rip) */
    0x48, 0x85, 0xc0,                /* test %rax,%rax */
    0x74, 9,                         /* jz failed */
    0x31, 0xff,                      /* xor %edi,%edi */
    0xb8, 231,  0,    0,    0,       /* mov $exit_group,%eax */
    0x0f, 0x05,                      /* syscall */
    0xff, 0x15, 0,    0,    0, 0,    /* failed: call *dlerror(%rip) */
    0x48, 0x89, 0xc6,                /* mov %rax,%rsi */
    0x31, 0xd2,                      /* xor %edx,%edx */
    0x80, 0x3c, 0x16, 0,             /* next: cmpb $0,(%rsi,%rdx) */
    0x74, 5,                         /* jz counted */
    0x48, 0xff, 0xc2,                /* inc %rdx */
    0xeb, 0xf5,                      /* jmp next */
    0xbf, 2,    0,    0,    0,       /* counted: mov $2,%edi */
    0xb8, 1,    0,    0,    0,       /* mov $write,%eax */
    0x0f, 0x05,                      /* syscall */
    0x48, 0x8d, 0x35, 0,    0, 0, 0, /* lea newline(%rip),%rsi */
    0xba, 1,    0,    0,    0,       /* mov $1,%edx */
    0xbf, 2,    0,    0,    0,       /* mov $2,%edi */
    0xb8, 1,    0,    0,    0,       /* mov $write,%eax */
    0x0f, 0x05,                      /* syscall */
    0xbf, 1,    0,    0,    0,       /* mov $1,%edi */
    0xb8, 231,  0,    0,    0,       /* mov $exit_group,%eax */
    0x0f, 0x05,                      /* syscall */
};

void stub_put_opener(struct stub *stub)
{
    const char *name = stub->object->opens;

    stub_put(stub, code, sizeof code);
    stub_put(stub, name, strlen(name) + 1);
    stub_put(stub, "\n", 1);
}

static void fit(struct stub *stub, unsigned at, uint64_t address)
{
    uint32_t distance = (uint32_t)(address - (stub->code.at + at + 4));

    for (unsigned i = 0; i < 4; i++)
        stub->bytes[stub->code.at + at + i] = (unsigned char)(distance >> 8 * i);
}

/* The word that a symbol's address is stored in. */
static uint64_t word_of(const struct stub *stub, const char *symbol)
{
    size_t i = 0;

    while (i < stub->object->undefined_count && strcmp(stub->object->undefined[i].name, symbol) != 0)
        i++;
    return stub->words.at + stub->data_shift + i * 8;
}

void stub_fit_opener(struct stub *stub)
{
    uint64_t name = stub->code.at + sizeof code;

    fit(stub, AT_NAME, name);
    fit(stub, AT_NEWLINE, name + strlen(stub->object->opens) + 1);
    fit(stub, AT_OPEN, word_of(stub, "dlopen"));
    fit(stub, AT_ERROR, word_of(stub, "dlerror"));
}
