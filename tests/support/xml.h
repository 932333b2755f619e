/**
 * Whether a text is well-formed XML, as far as our own files need it: elements that nest and close,
 * attributes in quotes and each once, no bare '<' or '&', one root.
 */
#ifndef HF_TEST_XML_H
#define HF_TEST_XML_H

#include <stddef.h>

/** NULL, or what is wrong. */
const char *xml_fault(const char *text, size_t length_bytes);

#endif
