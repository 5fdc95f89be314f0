/* py_text - see py_text.h. */
#include "py_text.h"

#include <string.h>

#define PORTS 256

/* Clients with many connections come back with the same ports. */
static struct {
	PyObject *str;
	uint16_t port;
} ports[PORTS]; /* (GIL) */

PyObject *
py_text_new(const char *text, size_t len)
{
	return (PyUnicode_DecodeLatin1(text, (Py_ssize_t)len, NULL));
}

void
py_text_show(struct py_text *shown, PyObject *str)
{
	shown->str = str;
	shown->data = (const char *)PyUnicode_1BYTE_DATA(str);
	shown->len = (size_t)PyUnicode_GET_LENGTH(str);
}

/* Where a value has its place: a poor hash, but one of a few instructions. */
static struct py_text *
slot_of(struct py_text_cache *cache, const char *text, size_t len)
{
	unsigned char middle = (unsigned char)text[len / 2];
	unsigned char last = (unsigned char)text[len - 1];

	return (&cache->slots[(len + middle + 5u * last) % PY_TEXT_SLOTS]);
}

PyObject *
py_text_get(struct py_text_cache *cache, const char *text, size_t len)
{
	struct py_text *slot;
	PyObject *str, *old;

	if (cache == NULL || len == 0 || len > PY_TEXT_MAX)
		return (py_text_new(text, len));
	slot = slot_of(cache, text, len);
	if (py_text_is(slot, text, len))
		return (Py_NewRef(slot->str));
	str = py_text_new(text, len);
	if (str == NULL)
		return (NULL);
	old = slot->str;
	py_text_show(slot, Py_NewRef(str));
	Py_XDECREF(old);
	return (str);
}

static PyObject *
new_port(unsigned port)
{
	char digits[5];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + port % 10);
		port /= 10;
	} while (port != 0);
	return (py_text_new(digits + at, sizeof(digits) - at));
}

PyObject *
py_text_port(uint16_t port)
{
	PyObject *str, *old = ports[port % PORTS].str;

	if (old != NULL && ports[port % PORTS].port == port)
		return (Py_NewRef(old));
	str = new_port(port);
	if (str == NULL)
		return (NULL);
	ports[port % PORTS].str = Py_NewRef(str);
	ports[port % PORTS].port = port;
	Py_XDECREF(old);
	return (str);
}
