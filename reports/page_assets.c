#include "page.h"

#include "page_text.h"
#include "sha256.h"

#include <string.h>

/* The two files as they are, put into the program by the assembler, a NUL behind each. */
__asm__(".pushsection .rodata\n"
        ".global page_style, page_script\n"
        "page_style: .incbin \"reports/page.css\"\n"
        ".byte 0\n"
        "page_script: .incbin \"reports/page.js\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char page_style[], page_script[];

static void put_policy(FILE *out, bool script)
{
    char style_sum[45], script_sum[45];

    sha256_base64(page_style, strlen(page_style), style_sum);
    sha256_base64(page_script, strlen(page_script), script_sum);
    fprintf(out,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
            "script-src %s%s%s; base-uri 'none'; form-action 'none'\">\n",
            style_sum, script ? "'sha256-" : "'none", script ? script_sum : "", "'");
}

void page_head(FILE *out, const char *title, bool script)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", out);
    put_policy(out, script);
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<title>",
          out);
    page_escaped(out, title);
    fputs("</title>\n<style>", out);
    fputs(page_style, out);
    fputs("</style>\n</head>\n<body>\n", out);
}

void page_foot(FILE *out, bool script)
{
    if (script) {
        fputs("<script>", out);
        fputs(page_script, out);
        fputs("</script>\n", out);
    }
    fputs("</body>\n</html>\n", out);
}
