/* From the bytes of a file to struct elffile: header, program headers, notes and the dynamic section.
 *
 * Section headers are never looked at (stripped files have none, packers lie in them). libelf is not used here: it
 * judges files by their section headers first, and a report needs the loader's judgement, field by field. elf(5),
 * gABI chapters 4 and 5, and elf/dl-load.c for the order in which glibc refuses things. */
#include "elfimage.h"

#include "alloc.h"

#include <byteswap.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_SEGMENTS = 4096,
    MAX_DYNAMIC = 1 << 16,
    MAX_NEEDED = 4096,
    MAX_NOTES = 1 << 16,
    MAX_STRINGS = 1 << 28,
    PAGE = 4096
};

/* Not in every elf.h that we are built with. */
enum { X86_ISA_1_NEEDED = 0xc0008002 };

uint8_t *image_read(const struct elf_image *image, uint64_t offset, uint64_t n)
{
    uint8_t *bytes;
    uint64_t done = 0;

    if (offset > image->size || n > image->size - offset)
        return NULL;
    bytes = xmalloc(n);
    while (done < n) {
        ssize_t got = pread(image->fd, bytes + done, n - done, (off_t)(offset + done));

        if (got <= 0) {
            free(bytes);
            return NULL;
        }
        done += (uint64_t)got;
    }
    return bytes;
}

static const struct elf_segment *segment_at(const struct elf_image *image, uint64_t addr)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (s->type == PT_LOAD && addr >= s->vaddr && addr - s->vaddr < s->file_size)
            return s;
    }
    return NULL;
}

/* Where S ends in memory. What comes right behind it there and in the file is the same piece for whoever reads it:
 * patchelf puts the string table across two segments. */
static uint64_t piece_end(const struct elf_image *image, const struct elf_segment *s)
{
    uint64_t end = s->vaddr + s->file_size, shift = s->offset - s->vaddr;

    for (size_t i = 0; i < image->segment_count; i++) { /* each can add itself once */
        const struct elf_segment *next = segment_at(image, end);

        if (!next || next->offset - next->vaddr != shift || next->vaddr + next->file_size < end)
            break;
        end = next->vaddr + next->file_size;
    }
    return end;
}

uint64_t image_available(const struct elf_image *image, uint64_t addr)
{
    const struct elf_segment *s = segment_at(image, addr);

    if (!s || s->offset > image->size || s->vaddr + s->file_size < s->vaddr)
        return 0;

    uint64_t in_piece = piece_end(image, s) - addr, before = s->offset + (addr - s->vaddr);
    if (before < s->offset || before > image->size)
        return 0;
    return in_piece < image->size - before ? in_piece : image->size - before;
}

uint8_t *image_read_address(const struct elf_image *image, uint64_t addr, uint64_t n)
{
    const struct elf_segment *s = segment_at(image, addr);

    if (!s || n > image_available(image, addr))
        return NULL;
    return image_read(image, s->offset + (addr - s->vaddr), n);
}

uint16_t image_u16(const struct elf_image *image, const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return image->swap ? bswap_16(v) : v;
}

uint32_t image_u32(const struct elf_image *image, const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return image->swap ? bswap_32(v) : v;
}

uint64_t image_u64(const struct elf_image *image, const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return image->swap ? bswap_64(v) : v;
}

uint64_t image_word(const struct elf_image *image, const uint8_t *p)
{
    return image->wide ? image_u64(image, p) : image_u32(image, p);
}

const char *entry_string(const struct elf_entry *entry, uint64_t offset)
{
    return entry->strings && offset < entry->strings_size ? entry->strings + offset : "";
}

/* The first complaint stands. */
static void complain(struct elf_entry *entry, enum elf_state state, char *why)
{
    if (entry->elf.state != ELFFILE_OK) {
        free(why);
        return;
    }
    entry->elf.state = state;
    entry->why = why;
    entry->elf.why = why;
}

/* e_ident, in the order of open_verify(). False where nothing behind it can be read. */
static bool parse_ident(struct elf_entry *entry, struct elf_image *image, const uint8_t *ident, uint64_t n)
{
    struct elffile *elf = &entry->elf;
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;

    for (uint64_t i = 0; i < n && i < 16; i++)
        elf->starts[i] = isprint(ident[i]) && ident[i] < 127 ? (char)ident[i] : '.';
    if (memcmp(ident, ELFMAG, n < SELFMAG ? n : SELFMAG) != 0) {
        elf->state = ELFFILE_NOT_ELF;
        return false;
    }
    if (n < EI_NIDENT) {
        elf->state = ELFFILE_SHORT;
        return false;
    }
    elf->class = ident[EI_CLASS];
    elf->data = ident[EI_DATA];
    elf->osabi = ident[EI_OSABI];
    elf->abiversion = ident[EI_ABIVERSION];
    for (unsigned i = EI_PAD; i < EI_NIDENT; i++)
        entry->padded |= ident[i] != 0;
    image->wide = elf->class == ELFCLASS64;
    image->swap = (elf->data == ELFDATA2LSB) != little;
    if (elf->class != ELFCLASS32 && elf->class != ELFCLASS64)
        complain(entry, ELFFILE_MALFORMED, xasprintf("wrong ELF class: %u", elf->class));
    else if (elf->data != ELFDATA2LSB && elf->data != ELFDATA2MSB)
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file data encoding not known"));
    else if (ident[EI_VERSION] != EV_CURRENT)
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file version ident does not match current one"));
    return (elf->class == ELFCLASS32 || elf->class == ELFCLASS64) &&
           (elf->data == ELFDATA2LSB || elf->data == ELFDATA2MSB);
}

/* VALID_ELF_OSABI and VALID_ELF_ABIVERSION of sysdeps/gnu/ldsodefs.h: version 4 and above is refused (measured, 2.36).
 */
static void check_abi(struct elf_entry *entry)
{
    const struct elffile *elf = &entry->elf;
    bool arm = elf->osabi == ELFOSABI_ARM_AEABI && elf->machine == EM_ARM;

    if (elf->osabi != ELFOSABI_SYSV && elf->osabi != ELFOSABI_GNU && !arm)
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file OS ABI invalid"));
}

/* open_verify() asks this of what the loader opens. A program the kernel has loaded, which does not look there
 * (load_elf_binary() of fs/binfmt_elf.c): AppImages have their mark in these bytes. */
static void check_padding(struct elf_entry *entry)
{
    const struct elffile *elf = &entry->elf;
    bool program = elf->type == ET_EXEC || (elf->interp && !elf->soname) || (elf->dt_flags_1 & DF_1_PIE);

    if (program)
        return;
    if (elf->abiversion && (elf->osabi != ELFOSABI_GNU || elf->abiversion > 3))
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file ABI version invalid"));
    if (entry->padded)
        complain(entry, ELFFILE_MALFORMED, xstrdup("nonzero padding in e_ident"));
}

/* The rest of the header. Gives the program headers' place, or false. */
static bool parse_header(struct elf_entry *entry, struct elf_image *image, uint64_t *phoff, unsigned *phnum)
{
    struct elffile *elf = &entry->elf;
    uint64_t first = image->size < sizeof(Elf64_Ehdr) ? image->size : sizeof(Elf64_Ehdr);
    CLEANUP_FREE uint8_t *h = image_read(image, 0, first);
    unsigned phentsize;

    if (!h) {
        elf->state = ELFFILE_UNREADABLE;
        elf->error = EIO;
        return false;
    }
    if (!parse_ident(entry, image, h, first))
        return false;
    if (first < (image->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) {
        elf->state = ELFFILE_SHORT;
        return false;
    }
    elf->type = image_u16(image, h + 16);
    elf->machine = image_u16(image, h + 18);
    check_abi(entry);
    if (image_u32(image, h + 20) != EV_CURRENT)
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file version does not match current one"));
    elf->entry = image_word(image, h + 24);
    *phoff = image_word(image, h + (image->wide ? 32 : 28));
    elf->flags = image_u32(image, h + (image->wide ? 48 : 36));
    phentsize = image_u16(image, h + (image->wide ? 54 : 42));
    *phnum = image_u16(image, h + (image->wide ? 56 : 44));
    if (elf->type != ET_DYN && elf->type != ET_EXEC)
        complain(entry, ELFFILE_MALFORMED, xstrdup("only ET_DYN and ET_EXEC can be loaded"));
    else if (phentsize != (image->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
        complain(entry, ELFFILE_MALFORMED, xstrdup("ELF file's phentsize not the expected size"));
    return elf->state == ELFFILE_OK;
}

static void parse_segment(struct elf_image *image, const uint8_t *p, struct elffile *elf)
{
    struct elf_segment *s = &image->segments[image->segment_count++];
    uint64_t memory_size = image_word(image, p + (image->wide ? 40 : 20));

    s->type = image_u32(image, p);
    s->flags = image_u32(image, p + (image->wide ? 4 : 24));
    s->offset = image_word(image, p + (image->wide ? 8 : 4));
    s->vaddr = image_word(image, p + (image->wide ? 16 : 8));
    s->file_size = image_word(image, p + (image->wide ? 32 : 16));
    s->align = image_word(image, p + (image->wide ? 48 : 28));
    if (s->type == PT_GNU_STACK) {
        elf->has_gnu_stack = true;
        elf->execstack = s->flags & PF_X;
    } else if (s->type == PT_TLS) {
        elf->tls_size = memory_size;
        elf->tls_align = s->align;
    } else if (s->type == PT_DYNAMIC) {
        elf->dynamic = true;
    } else if (s->type == PT_LOAD && s->flags == PF_R && s->file_size > elf->constant_size) {
        elf->constant_offset = s->offset;
        elf->constant_size = s->file_size;
    }
}

/* Whether the segment that holds ADDRESS, when all is loaded, cannot be written to; or there is none. */
static bool is_fixed(const struct elf_image *image, uint64_t address)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (s->type == PT_LOAD && address >= s->vaddr && address - s->vaddr < s->file_size)
            return !(s->flags & PF_W);
    }
    return true;
}

static bool parse_segments(struct elf_entry *entry, struct elf_image *image, uint64_t phoff, unsigned phnum)
{
    size_t size = image->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    CLEANUP_FREE uint8_t *bytes = phnum <= MAX_SEGMENTS ? image_read(image, phoff, phnum * size) : NULL;

    if (!bytes) {
        entry->elf.state = ELFFILE_SHORT;
        return false;
    }
    image->segments = xcalloc(phnum, sizeof *image->segments);
    for (unsigned i = 0; i < phnum; i++)
        parse_segment(image, bytes + i * size, &entry->elf);
    for (unsigned i = 0; i < phnum; i++)
        if (image->segments[i].type == PT_DYNAMIC)
            entry->elf.dynamic_fixed = is_fixed(image, image->segments[i].vaddr);
    if (!entry->elf.has_gnu_stack)
        entry->elf.execstack = true;
    return true;
}

/* What _dl_map_object_from_fd() checks of each PT_LOAD, and what it does not: whether the file is that long. */
static void check_segments(struct elf_entry *entry, const struct elf_image *image)
{
    size_t loads = 0, code = 0, bytes = 0;

    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        bool past_end = s->offset > image->size || s->file_size > image->size - s->offset;

        if (s->type == PT_LOAD) {
            loads++;
            code += (s->flags & PF_X) != 0;
            bytes += (s->flags & PF_X) && s->file_size;
            if (entry->elf.dynamic && ((s->vaddr - s->offset) & (PAGE - 1)))
                complain(entry, ELFFILE_MALFORMED, xstrdup("ELF load command address/offset not page-aligned"));
        }
        if (past_end && s->file_size && (s->type == PT_LOAD || s->type == PT_DYNAMIC || s->type == PT_INTERP))
            complain(entry, ELFFILE_TRUNCATED,
                     xasprintf("its program headers say %llu bytes or more, it has %llu",
                               (unsigned long long)(s->offset + s->file_size), (unsigned long long)image->size));
    }
    entry->elf.hollow = code && !bytes;
    if (!loads)
        complain(entry, ELFFILE_MALFORMED, xstrdup("object file has no loadable segments"));
}

static void parse_interp(struct elf_entry *entry, const struct elf_image *image, const struct elf_segment *s)
{
    CLEANUP_FREE uint8_t *bytes = s->file_size <= PAGE ? image_read(image, s->offset, s->file_size) : NULL;

    if (entry->interp || entry->elf.interp_bad)
        return;
    if (s->file_size > PATH_MAX) /* load_elf_binary() of fs/binfmt_elf.c, as what follows */
        entry->elf.interp_bad = "the name of its dynamic loader (PT_INTERP) is longer than a path can be";
    if (!bytes)
        return;
    if (s->file_size < 2 || !bytes[0])
        entry->elf.interp_bad = "the name of its dynamic loader (PT_INTERP) is empty";
    else if (bytes[s->file_size - 1])
        entry->elf.interp_bad = "the name of its dynamic loader (PT_INTERP) does not end with a zero byte";
    entry->interp = xstrndup((const char *)bytes, s->file_size);
    entry->elf.interp = entry->interp;
}

static void parse_properties(struct elffile *elf, const struct elf_image *image, const uint8_t *p, uint32_t n)
{
    uint32_t step = image->wide ? 8 : 4;

    while (n >= 8) {
        uint32_t type = image_u32(image, p), size = image_u32(image, p + 4), whole;

        if (size > n - 8)
            return;
        if (type == X86_ISA_1_NEEDED && size >= 4 && (elf->machine == EM_X86_64 || elf->machine == EM_386))
            elf->isa_needed = image_u32(image, p + 8);
        whole = 8 + (size + step - 1) / step * step;
        if (whole > n)
            return;
        p += whole;
        n -= whole;
    }
}

static void parse_note(struct elffile *elf, const struct elf_image *image, uint32_t type, const uint8_t *p, uint32_t n)
{
    switch (type) {
    case NT_GNU_ABI_TAG:
        if (n < 16)
            return;
        elf->has_abi_note = true;
        elf->abi_os = image_u32(image, p);
        elf->abi_major = image_u32(image, p + 4);
        elf->abi_minor = image_u32(image, p + 8);
        elf->abi_patch = image_u32(image, p + 12);
        return;
    case NT_GNU_BUILD_ID:
        elf->build_id_size = n < sizeof elf->build_id ? n : sizeof elf->build_id;
        memcpy(elf->build_id, p, elf->build_id_size);
        return;
    case NT_GNU_PROPERTY_TYPE_0:
        parse_properties(elf, image, p, n);
        return;
    default:
        return;
    }
}

static uint64_t padded(uint32_t n, uint64_t align)
{
    return ((uint64_t)n + align - 1) / align * align;
}

static void parse_notes(struct elf_entry *entry, const struct elf_image *image, const struct elf_segment *s)
{
    uint64_t left = s->file_size, align = s->align == 8 ? 8 : 4;
    CLEANUP_FREE uint8_t *bytes = left <= MAX_NOTES ? image_read(image, s->offset, left) : NULL;
    const uint8_t *p = bytes;

    while (bytes && left >= 12) {
        uint32_t name_size = image_u32(image, p), size = image_u32(image, p + 4), type = image_u32(image, p + 8);
        uint64_t name_end = padded(12 + name_size, align), end;

        if (name_size > left || size > left || name_end > left)
            return;
        end = name_end + padded(size, align);
        if (name_end + size > left)
            return;
        if (name_size == 4 && !memcmp(p + 12, "GNU", 4))
            parse_note(&entry->elf, image, type, p + name_end, size);
        if (end >= left)
            return;
        p += end;
        left -= end;
    }
}

static void remember_tag(struct elf_entry *entry, struct elf_image *image, uint64_t tag, uint64_t value)
{
    if (tag < DT_NUM) {
        image->dynamic[tag] = value;
        image->has[tag] = true;
        return;
    }
    switch (tag) {
    case DT_GNU_HASH:
        image->gnu_hash = value;
        break;
    case DT_VERSYM:
        image->versym = value;
        break;
    case DT_VERNEED:
        image->verneed = value;
        break;
    case DT_VERNEEDNUM:
        image->verneed_count = value;
        break;
    case DT_VERDEF:
        image->verdef = value;
        break;
    case DT_VERDEFNUM:
        image->verdef_count = value;
        break;
    case DT_RELACOUNT:
        image->relacount = value;
        break;
    case DT_FLAGS_1:
        entry->elf.dt_flags_1 = value;
        break;
    default:
        break;
    }
}

static void read_strings(struct elf_entry *entry, const struct elf_image *image)
{
    uint64_t n = image->dynamic[DT_STRSZ], available = image_available(image, image->dynamic[DT_STRTAB]);
    uint8_t *bytes;

    if (n > available)
        n = available;
    if (!n || n > MAX_STRINGS)
        return;
    bytes = image_read_address(image, image->dynamic[DT_STRTAB], n);
    if (!bytes)
        return;
    entry->strings = xrealloc(bytes, n + 1);
    entry->strings[n] = '\0';
    entry->strings_size = n;
}

static void name_things(struct elf_entry *entry, const struct elf_image *image)
{
    struct elffile *elf = &entry->elf;

    if (image->has[DT_SONAME])
        elf->soname = entry_string(entry, image->dynamic[DT_SONAME]);
    if (image->has[DT_RPATH])
        elf->rpath = entry_string(entry, image->dynamic[DT_RPATH]);
    if (image->has[DT_RUNPATH])
        elf->runpath = entry_string(entry, image->dynamic[DT_RUNPATH]);
    elf->dt_flags = image->dynamic[DT_FLAGS];
    elf->symbolic = image->has[DT_SYMBOLIC] || (elf->dt_flags & DF_SYMBOLIC);
    elf->bind_now = image->has[DT_BIND_NOW] || (elf->dt_flags & DF_BIND_NOW) || (elf->dt_flags_1 & DF_1_NOW);
    elf->textrel = image->has[DT_TEXTREL] || (elf->dt_flags & DF_TEXTREL);
    elf->static_tls = elf->dt_flags & DF_STATIC_TLS;
    elf->nodeflib = elf->dt_flags_1 & DF_1_NODEFLIB;
}

static void parse_dynamic(struct elf_entry *entry, struct elf_image *image, const struct elf_segment *s)
{
    size_t size = image->wide ? 16 : 8, count = s->file_size / size;
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t capacity = 0, filter_capacity = 0;

    if (count > MAX_DYNAMIC)
        count = MAX_DYNAMIC;
    bytes = image_read(image, s->offset, count * size);
    if (!bytes)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t tag = image_word(image, bytes + i * size);

        if (tag == DT_NULL) {
            count = i;
            break;
        }
        remember_tag(entry, image, tag, image_word(image, bytes + i * size + size / 2));
    }
    read_strings(entry, image);
    for (size_t i = 0; i < count; i++) {
        if (image_word(image, bytes + i * size) != DT_NEEDED || entry->elf.needed_count == MAX_NEEDED)
            continue;
        const char **needed = array_add(&entry->needed, &entry->elf.needed_count, &capacity, sizeof *needed);
        *needed = entry_string(entry, image_word(image, bytes + i * size + size / 2));
    }
    entry->elf.needed = entry->needed;
    for (size_t i = 0; i < count; i++) {
        uint64_t tag = image_word(image, bytes + i * size);

        if ((tag != DT_FILTER && tag != DT_AUXILIARY) || entry->elf.filter_count == MAX_NEEDED)
            continue;
        struct elf_filter *filter =
            array_add(&entry->filters, &entry->elf.filter_count, &filter_capacity, sizeof *filter);
        *filter = (struct elf_filter){entry_string(entry, image_word(image, bytes + i * size + size / 2)),
                                      tag == DT_AUXILIARY};
    }
    entry->elf.filters = entry->filters;
    name_things(entry, image);
    elf_parse_symbols(entry, image);
}

void elf_parse(struct elf_entry *entry, int fd, bool whole)
{
    struct elf_image image = {.fd = fd, .size = entry->elf.file_size};
    uint64_t phoff;
    unsigned phnum;

    if (!image.size) {
        entry->elf.state = ELFFILE_EMPTY;
        return;
    }
    if (parse_header(entry, &image, &phoff, &phnum) && parse_segments(entry, &image, phoff, phnum)) {
        check_segments(entry, &image);
        for (size_t i = 0; i < image.segment_count; i++) {
            const struct elf_segment *s = &image.segments[i];

            if (s->type == PT_INTERP)
                parse_interp(entry, &image, s);
            else if (s->type == PT_NOTE)
                parse_notes(entry, &image, s);
        }
        for (size_t i = 0; whole && i < image.segment_count; i++)
            if (image.segments[i].type == PT_DYNAMIC) {
                parse_dynamic(entry, &image, &image.segments[i]);
                break;
            }
        check_padding(entry);
    }
    free(image.segments);
}
