/* The version of the program and the library. */
#ifndef VB_BASE_VERSION_H
#define VB_BASE_VERSION_H

#define VB_VERSION "0.1.0"

#endif
