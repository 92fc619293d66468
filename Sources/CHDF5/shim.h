// What Swift cannot import from the HDF5 headers: values behind macros with casts, and functions whose names
// are macros that select a version.
#ifndef CHDF5_SHIM_H
#define CHDF5_SHIM_H

#include <hdf5.h>

static inline unsigned CHDF5_readOnly(void) { return H5F_ACC_RDONLY; }
static inline unsigned CHDF5_truncate(void) { return H5F_ACC_TRUNC; }
static inline hid_t CHDF5_defaultProperties(void) { return H5P_DEFAULT; }
static inline hid_t CHDF5_wholeSpace(void) { return H5S_ALL; }

static inline hid_t CHDF5_fileCreationClass(void) { return H5P_FILE_CREATE; }
static inline hid_t CHDF5_fileAccessClass(void) { return H5P_FILE_ACCESS; }
static inline hid_t CHDF5_groupCreationClass(void) { return H5P_GROUP_CREATE; }
static inline hid_t CHDF5_datasetCreationClass(void) { return H5P_DATASET_CREATE; }

static inline hid_t CHDF5_string(void) { return H5T_C_S1; }
static inline hid_t CHDF5_float32LE(void) { return H5T_IEEE_F32LE; }
static inline hid_t CHDF5_float64LE(void) { return H5T_IEEE_F64LE; }
static inline hid_t CHDF5_int8LE(void) { return H5T_STD_I8LE; }
static inline hid_t CHDF5_int16LE(void) { return H5T_STD_I16LE; }
static inline hid_t CHDF5_int32LE(void) { return H5T_STD_I32LE; }
static inline hid_t CHDF5_int64LE(void) { return H5T_STD_I64LE; }
static inline hid_t CHDF5_uint8LE(void) { return H5T_STD_U8LE; }
static inline hid_t CHDF5_uint16LE(void) { return H5T_STD_U16LE; }
static inline hid_t CHDF5_uint32LE(void) { return H5T_STD_U32LE; }
static inline hid_t CHDF5_uint64LE(void) { return H5T_STD_U64LE; }
static inline hid_t CHDF5_nativeInt64(void) { return H5T_NATIVE_INT64; }
static inline hid_t CHDF5_nativeDouble(void) { return H5T_NATIVE_DOUBLE; }

// A 16-bit floating-point type: sign, then `exponentBits`, then the mantissa. Negative on failure.
static inline hid_t CHDF5_float16Bits(unsigned exponentBits) {
  hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  if (type < 0) return type;
  size_t mantissaBits = 15 - exponentBits;
  if (H5Tset_fields(type, 15, mantissaBits, exponentBits, 0, mantissaBits) < 0 || H5Tset_precision(type, 16) < 0 ||
      H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, ((size_t)1 << (exponentBits - 1)) - 1) < 0) {
    H5Tclose(type);
    return -1;
  }
  return type;
}
static inline hid_t CHDF5_float16LE(void) { return CHDF5_float16Bits(5); }
static inline hid_t CHDF5_bfloat16LE(void) { return CHDF5_float16Bits(8); }

// Where the object begins in its file, which no other object shares; 0 on success.
static inline int CHDF5_objectAddress(hid_t object, unsigned long long *address) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info;
  haddr_t place;
  if (H5Oget_info3(object, &info, H5O_INFO_BASIC) < 0 || H5VLnative_token_to_addr(object, info.token, &place) < 0) return -1;
  *address = place;
#else
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return -1;
  *address = info.addr;
#endif
  return 0;
}

// Keeps the library from printing; errors are reported by return values.
static inline void CHDF5_silence(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5Eclear2(H5E_DEFAULT);
}

// Whether the link exists and is a hard one: 1 yes, 0 there is no such link, -1 a soft or external link or damage.
static inline int CHDF5_isHardLink(hid_t group, const char *name) {
  htri_t exists = H5Lexists(group, name, H5P_DEFAULT);
  if (exists <= 0) return (int)exists;
  H5L_info_t info;
  if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0) return -1;
  return info.type == H5L_TYPE_HARD ? 1 : -1;
}

// The group's number of links, or -1; whether they are stored in the object header goes to `isCompact`.
static inline long long CHDF5_linkCount(hid_t group, int *isCompact) {
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0) return -1;
  *isCompact = info.storage_type == H5G_STORAGE_TYPE_COMPACT;
  return (long long)info.nlinks;
}

#endif
