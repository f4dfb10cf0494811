#include "sha256.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK = SHA256_BLOCK, WORDS = 8 };

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turned(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* 6.2.2 */
static void add_block(uint32_t h[WORDS], const unsigned char *block)
{
    uint32_t w[64], v[WORDS];

    for (size_t t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = turned(w[t - 15], 7) ^ turned(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = turned(w[t - 2], 17) ^ turned(w[t - 2], 19) ^ w[t - 2] >> 10;

        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    memcpy(v, h, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[t] + w[t];
        uint32_t s0 = turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < WORDS; i++)
        h[i] += v[i];
}

void sha256_begin(struct sha256 *state)
{
    *state = (struct sha256){
        .h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *state, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size_t have = state->size % BLOCK;

    state->size += size;
    while (size) {
        size_t n = size < BLOCK - have ? size : BLOCK - have;

        memcpy(state->block + have, at, n);
        at += n;
        size -= n;
        have += n;
        if (have == BLOCK) {
            add_block(state->h, state->block);
            have = 0;
        }
    }
}

void sha256_end(struct sha256 *state, unsigned char ret[static SHA256_BYTES])
{
    size_t rest = state->size % BLOCK, end = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    unsigned char last[2 * BLOCK] = {0x80};

    for (size_t i = 0; i < 8; i++)
        last[end - rest - 1 - i] = (unsigned char)(state->size * 8 >> 8 * i);
    sha256_add(state, last, end - rest);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        ret[i] = (unsigned char)(state->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_base64(const void *bytes, size_t size, char ret[static 45])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char sum[33] = {0};
    struct sha256 state;

    sha256_begin(&state);
    sha256_add(&state, bytes, size);
    sha256_end(&state, sum);
    for (size_t i = 0, o = 0; i < 33; i += 3, o += 4) {
        uint32_t three = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];

        for (size_t c = 0; c < 4; c++)
            ret[o + c] = letters[three >> (18 - 6 * c) & 63];
    }
    ret[43] = '='; /* 32 bytes: the last group has two */
    ret[44] = '\0';
}
