/**
 * @file nwpool/export.h
 * What every public header needs: symbol visibility and C linkage.
 */
#ifndef NWPOOL_EXPORT_H
#define NWPOOL_EXPORT_H

/** Marks a function as part of the library's interface. */
#define NW_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define NW_EXTERN_C_BEGIN extern "C" {
#define NW_EXTERN_C_END   }
#else
#define NW_EXTERN_C_BEGIN
#define NW_EXTERN_C_END
#endif

#endif
