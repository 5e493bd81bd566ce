/* The Sun and the four outer planets, advanced by a symplectic Euler step of 0.01 days; the
 * energy before and after has known values (-0.169075164 at the start). */
#include "kernel.h"
#include <math.h>

#define BODIES 5
#define DAYS_PER_YEAR 365.24
#define SOLAR_MASS (4 * M_PI * M_PI)

struct body {
    double position[3], velocity[3], mass;
};

/* Positions in astronomical units, velocities in units a day, masses in solar masses. */
static struct body bodies[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, 1},
    {{4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01},
     {1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05},
     9.54791938424326609e-04},
    {{8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01},
     {-2.76742510726411410e-03, 4.99852801234917238e-03, 2.30417297573763929e-05},
     2.85885980666130812e-04},
    {{1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01},
     {2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05},
     4.36624404335156298e-05},
    {{1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01},
     {2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05},
     5.15138902046611451e-05},
};

/* To years and to masses in which the gravitational constant is 1; no net momentum. */
static void prepare(void) {
    double momentum[3] = {0, 0, 0};
    for (int i = 0; i < BODIES; i++) {
        bodies[i].mass *= SOLAR_MASS;
        for (int d = 0; d < 3; d++) {
            bodies[i].velocity[d] *= DAYS_PER_YEAR;
            momentum[d] += bodies[i].velocity[d] * bodies[i].mass;
        }
    }
    for (int d = 0; d < 3; d++) {
        bodies[0].velocity[d] = -momentum[d] / SOLAR_MASS;
    }
}

static void advance(double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->position[0] - b->position[0];
            double dy = a->position[1] - b->position[1];
            double dz = a->position[2] - b->position[2];
            double square = dx * dx + dy * dy + dz * dz;
            double pull = dt / (square * sqrt(square));
            a->velocity[0] -= dx * b->mass * pull;
            a->velocity[1] -= dy * b->mass * pull;
            a->velocity[2] -= dz * b->mass * pull;
            b->velocity[0] += dx * a->mass * pull;
            b->velocity[1] += dy * a->mass * pull;
            b->velocity[2] += dz * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        for (int d = 0; d < 3; d++) {
            bodies[i].position[d] += dt * bodies[i].velocity[d];
        }
    }
}

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *a = &bodies[i];
        double speed2 = 0;
        for (int d = 0; d < 3; d++) {
            speed2 += a->velocity[d] * a->velocity[d];
        }
        sum += a->mass * speed2 / 2;
        for (int j = i + 1; j < BODIES; j++) {
            const struct body *b = &bodies[j];
            double distance2 = 0;
            for (int d = 0; d < 3; d++) {
                double delta = a->position[d] - b->position[d];
                distance2 += delta * delta;
            }
            sum -= a->mass * b->mass / sqrt(distance2);
        }
    }
    return sum;
}

int main(int argc, char **argv) {
    uint32_t steps = kernel_size(argc, argv, 500000);
    prepare();
    printf("%.9f\n", energy());
    for (uint32_t i = 0; i < steps; i++) {
        advance(0.01);
    }
    printf("%.9f\n", energy());
    return 0;
}
