/* Modules of all the shapes that bytecode has an instruction for: see shapes.c, shape_code.c. */
#ifndef TESTS_DIFFERENTIAL_SHAPES_H
#define TESTS_DIFFERENTIAL_SHAPES_H

#include "generate.h"

uint32_t count_shape_modules(void);

/* One of them, from 0. Its exports are those of generate(), and its outcomes as comparable. */
struct bytes generate_shapes(uint32_t index, uint32_t padding);

#endif
