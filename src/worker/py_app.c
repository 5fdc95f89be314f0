/* py_app - see py_app.h. */
#include "py_app.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fork_guard.h"
#include "log.h"
#include "py_traceback.h"

#define DEFAULT_ATTRIBUTE "application"

static PyObject *app, *context; /* (const) once loaded */

/* "module:attribute.path" or "module:factory()", taken apart. */
struct app_name {
	char *module; /* owned; the others point into it */
	char *attribute;
	bool is_factory;
};

static int
name_parse(const char *text, struct app_name *name)
{
	static char default_attribute[] = DEFAULT_ATTRIBUTE;
	size_t len;

	name->module = strdup(text);
	if (name->module == NULL) {
		log_error("wsgi_app");
		return (-1);
	}
	name->attribute = strchr(name->module, ':');
	if (name->attribute != NULL)
		*name->attribute++ = '\0';
	else
		name->attribute = default_attribute;
	len = strlen(name->attribute);
	name->is_factory =
	    len > 2 && strcmp(name->attribute + len - 2, "()") == 0;
	if (name->is_factory)
		name->attribute[len - 2] = '\0';
	if (*name->module != '\0' && *name->attribute != '\0' &&
	    strpbrk(name->attribute, "()") == NULL)
		return (0);
	log_errorx("wsgi_app = %s: must be \"module:callable\" or "
		   "\"module:factory()\"",
	    text);
	free(name->module);
	return (-1);
}

/* One step of the path; takes object.  NULL with the reason logged. */
static PyObject *
step(const char *text, PyObject *object, const char *attribute)
{
	PyObject *next;
	int found = py_get_optional(object, attribute, &next);

	if (found == 0)
		log_errorx("wsgi_app = %s: there is no \"%s\" in %s%s", text,
		    attribute,
		    PyModule_Check(object) ? "module " : "an object of type ",
		    PyModule_Check(object) ? PyModule_GetName(object)
					   : Py_TYPE(object)->tp_name);
	else if (found == -1)
		py_traceback_log("wsgi_app = %s", text);
	Py_DECREF(object);
	return (found == 1 ? next : NULL);
}

static PyObject *
call_factory(const char *text, PyObject *factory)
{
	PyObject *made = NULL;

	if (!PyCallable_Check(factory))
		log_errorx(
		    "wsgi_app = %s: not a factory, but of type %s, which "
		    "cannot be called",
		    text, Py_TYPE(factory)->tp_name);
	else if ((made = PyObject_CallNoArgs(factory)) == NULL)
		py_traceback_log("wsgi_app = %s", text);
	Py_DECREF(factory);
	return (made);
}

static PyObject *
find(const char *text, struct app_name *name)
{
	PyObject *object = PyImport_ImportModule(name->module);
	char *rest = name->attribute, *attribute;

	if (object == NULL)
		py_traceback_log("wsgi_app = %s", text);
	while (object != NULL && (attribute = strsep(&rest, ".")) != NULL)
		object = step(text, object, attribute);
	if (object != NULL && name->is_factory)
		object = call_factory(text, object);
	if (object == NULL || PyCallable_Check(object))
		return (object);
	log_errorx("wsgi_app = %s: not an application, but of type %s, which "
		   "cannot be called",
	    text, Py_TYPE(object)->tp_name);
	Py_DECREF(object);
	return (NULL);
}

int
py_app_load(const struct config *cfg)
{
	struct app_name name;

	if (name_parse(cfg->wsgi_app, &name) == -1)
		return (-1);
	app = find(cfg->wsgi_app, &name);
	py_app_end_fork(); /* of a module that forks when it is imported */
	free(name.module);
	if (app == NULL)
		return (-1);
	context = PyContext_CopyCurrent();
	if (context != NULL)
		return (0);
	py_traceback_log("wsgi_app = %s", cfg->wsgi_app);
	return (-1);
}

PyObject *
py_app(void)
{
	return (app);
}

PyObject *
py_app_context(void)
{
	return (PyContext_Copy(context));
}

/*
 * Standard error goes to the master, who logs it.  To log it from here would take
 * the lock of the C library's time zone, which some other thread may have held
 * during the fork: then it is held for ever.
 */
void
py_app_end_fork(void)
{
	static const char text[] =
	    "a process that the application forked has come back from it "
	    "instead of exiting: ended\n";

	if (!fork_guard_in_child())
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) == -1)
		_exit(2); /* nobody hears */
	_exit(1);
}
