/**
 * @file clk.h  Shell. The only place that reads a clock.
 */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <stdint.h>

uint64_t clk_now(void);      /**< monotonic [ms]                             */
uint64_t clk_now_us(void);   /**< monotonic [us]                             */
uint64_t clk_wall(void);     /**< wall clock [ms since 1970]                 */
uint64_t clk_wall_us(void);  /**< wall clock [us since 1970]                 */

#endif
