/**
 * The bytes of a pcapng file [draft-ietf-opsawg-pcapng]: section, interface and packet blocks.
 * Little-endian on every machine, time in nanoseconds. Pure: the caller writes the file.
 *
 * Each function writes one block to bytes and returns its length; 0 when it takes more than
 * capacity_bytes. Texts may be NULL and are cut at 65535 bytes.
 */
#ifndef HF_SHOW_PCAPNG_H
#define HF_SHOW_PCAPNG_H

#include <handfast/handfast.h>

enum {
    HF_PCAPNG_LINKTYPE_RAW = 101, /**< packets start with their IP header, of either version */
    /** What a packet block takes at most beside packet and comment. */
    HF_PCAPNG_PACKET_OVERHEAD_BYTES = 64,
};

enum hf_pcapng_direction { HF_PCAPNG_UNKNOWN = 0, HF_PCAPNG_IN = 1, HF_PCAPNG_OUT = 2 };

struct hf_pcapng_packet {
    uint32_t interface; /**< number of the interface block, from 0 */
    hf_ns time_ns;      /**< since 1970 */
    enum hf_pcapng_direction direction;
    const char *comment;
    const struct hf_slice *slices;
    size_t slice_count;
};

/** The block that every file begins with. */
size_t hf_pcapng_section(uint8_t *bytes, size_t capacity_bytes, const char *application,
                         const char *comment);
/** One interface; the first gets number 0. */
size_t hf_pcapng_interface(uint8_t *bytes, size_t capacity_bytes, uint16_t link_type,
                           const char *name);
size_t hf_pcapng_packet(uint8_t *bytes, size_t capacity_bytes, const struct hf_pcapng_packet *p);

#endif
