/* ld.so's hidden functions before it has relocated itself: what will stand in _rtld_global_ro is still in its
 * relocations (DT_RELA, the addends of R_X86_64_RELATIVE) or, with DT_RELR, in its place without the bias. */
#include "memimage.h"

#include "alloc.h"

#include <elf.h>
#include <string.h>

enum { WORD = 8, GLOBAL_MOST = 8192, RELOCATIONS_MOST = 65536 };

/* The table as it will be, as virtual addresses: malloced, or NULL. */
static uint64_t *words_to_be(const struct memimage *image, const struct memimage_symbol *global)
{
    size_t size = global->size / WORD * WORD;
    uint64_t *words = xmalloc(size + 1), count = 0;
    uint64_t table = memimage_pointer(image, DT_RELA);

    if (mem_read(&image->mem, global->addr, words, size) < 0) {
        free(words);
        return NULL;
    }
    if (!table || !memimage_tag(image, DT_RELASZ, &count))
        return words;
    count /= sizeof(Elf64_Rela);
    for (uint64_t i = 0; i < count && i < RELOCATIONS_MOST; i++) {
        Elf64_Rela rela;

        if (mem_read(&image->mem, table + i * sizeof rela, &rela, sizeof rela) < 0)
            break;
        uint64_t at = rela.r_offset + image->bias - global->addr;

        if (ELF64_R_TYPE(rela.r_info) == R_X86_64_RELATIVE && at < size && at % WORD == 0)
            words[at / WORD] = (uint64_t)rela.r_addend;
    }
    return words;
}

static uint64_t believed(const struct memimage *image, uint64_t vaddr)
{
    uint64_t addr = image->bias + vaddr;

    return vaddr && memimage_begins_function(image, addr) ? addr : 0;
}

int memimage_hidden_early(const struct memimage *image, struct memimage_hidden *ret)
{
    struct memimage_symbol global, anchor;

    *ret = (struct memimage_hidden){0};
    if (memimage_symbol(image, "_rtld_global_ro", NULL, &global) ||
        memimage_symbol(image, "_dl_mcount", NULL, &anchor) || image->mem.word_size != WORD ||
        global.size < 4 * (uint64_t)WORD || global.size > GLOBAL_MOST)
        return -1;
    CLEANUP_FREE uint64_t *words = words_to_be(image, &global);

    for (size_t i = 0; words && i + 3 < global.size / WORD; i++)
        if (words[i] == anchor.addr - image->bias) {
            ret->lookup_addr = believed(image, words[i + 1]);
            ret->open_addr = believed(image, words[i + 2]);
            ret->close_addr = believed(image, words[i + 3]);
            return 0;
        }
    return -1;
}
