/* The look-ups of the flow cache as a tight loop in C: the same key of 10 words, the same keyed hash, the same table and
 * entries of 96 bytes, in batches of 32 that are prefetched. It prints nanoseconds a look-up. It is only there to be
 * compared with.
 *
 *     yardstick FLOWS uniform|zipf ROUNDS
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_WORDS = 10, BATCH = 32, KEYS = 16384 };

struct entry {
    uint32_t hash, domain, template, lengths;
    uint64_t start, end, packets, octets, squares;
    uint32_t key[KEY_WORDS];
};

struct slot { uint32_t hash, entry; };

static uint32_t secrets[KEY_WORDS + 2];

static uint32_t hash(const uint32_t *key)
{
    uint32_t sum = 0;
    for (int i = 0; i < KEY_WORDS + 2; i++) {
        uint32_t word = (i < 2 ? (uint32_t)i : key[i - 2]) + secrets[i];
        sum += (word >> 16) * (word & 0xffff);
    }
    sum = (sum ^ sum >> 16) * 0x85ebca6b;
    sum = (sum ^ sum >> 13) * 0xc2b2ae35;
    return sum ^ sum >> 16;
}

static uint32_t state = 1;

static double draw(void)
{
    state += 0x6d2b79f5;
    uint32_t word = (state ^ state >> 15) * (1 | state);
    word = (word + (word ^ word >> 7) * (61 | word)) ^ word;
    return (word ^ word >> 14) / 4294967296.0;
}

static void make_key(uint32_t *key, uint32_t flow)
{
    memset(key, 0x5a, KEY_WORDS * 4);
    key[6] = flow >> 4;
    key[7] = flow & 0xff;
    key[8] = flow % 50000;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: yardstick FLOWS uniform|zipf ROUNDS\n");
        return 1;
    }
    uint32_t flows = atoi(argv[1]);
    int zipf = !strcmp(argv[2], "zipf"), rounds = atoi(argv[3]) * 20;
    uint32_t mask = 1024;
    while (mask * 5 < flows * 8) mask *= 2;
    struct slot *table = calloc(mask, sizeof *table);
    struct entry *entries = calloc(flows + 1, sizeof *entries);
    uint32_t (*keys)[KEY_WORDS] = calloc(KEYS, sizeof *keys);
    mask--;
    for (int i = 0; i < KEY_WORDS + 2; i++) secrets[i] = (i + 1) * 0x9e3779b9;
    for (uint32_t flow = 0; flow < flows; flow++) {
        struct entry *entry = &entries[flow + 1];
        make_key(entry->key, flow);
        entry->hash = hash(entry->key);
        uint32_t at = entry->hash & mask;
        while (table[at].entry) at = (at + 1) & mask;
        table[at] = (struct slot){ entry->hash, flow + 1 };
    }
    double nanos = 0;
    uint64_t count = 0, missed = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < KEYS; i++) {
            make_key(keys[i], zipf ? (uint32_t)exp(draw() * log(flows + 1.0)) - 1 : (uint32_t)(draw() * flows));
        }
        double begin = now();
        for (int i = 0; i < KEYS; i += BATCH) {
            uint32_t hashes[BATCH];
            for (int j = 0; j < BATCH; j++) {
                hashes[j] = hash(keys[i + j]);
                __builtin_prefetch(&table[hashes[j] & mask]);
            }
            for (int j = 0; j < BATCH; j++) {
                struct slot *slot = &table[hashes[j] & mask];
                __builtin_prefetch(&entries[slot->entry]);
                __builtin_prefetch((char *)&entries[slot->entry] + 64);
            }
            for (int j = 0; j < BATCH; j++) {
                uint32_t at = hashes[j] & mask;
                while (table[at].entry && (table[at].hash != hashes[j] ||
                       memcmp(entries[table[at].entry].key, keys[i + j], KEY_WORDS * 4))) {
                    at = (at + 1) & mask;
                }
                struct entry *entry = &entries[table[at].entry];
                missed += !table[at].entry;
                entry->packets += 1;
                entry->octets += 60;
                entry->squares += 46 * 46;
                if (entry->end < i) entry->end = i;
                if (entry->lengths < 46) entry->lengths = 46;
            }
        }
        nanos += now() - begin;
        count += KEYS;
    }
    if (missed) {
        fprintf(stderr, "%llu flows were not found\n", (unsigned long long)missed);
        return 1;
    }
    printf("%.2f\n", nanos / count);
    return 0;
}
