/** Facts about a packet's bytes that the path model wants to be told. */
#ifndef HF_LAB_PACKET_FACTS_H
#define HF_LAB_PACKET_FACTS_H

#include <handfast/handfast.h>

/** An IP packet with a TCP segment that is an acknowledgment and nothing else: no data and no flag
 *  but ACK (and those of congestion); options may be there, SACK among them. */
bool hf_packet_is_pure_ack(const uint8_t *bytes, size_t length_bytes);

#endif
