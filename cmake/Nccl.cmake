# nccl::nccl: the headers of NCCL, and of the CUDA runtime that they name, from the wheel that torch
# depends on, or from the system, and the run path to the library. PREFIXMEM_HAVE_NCCL says whether
# it was found and so which file implements the CUDA collective.
set(nccl_wheel ${PREFIXMEM_SITE_PACKAGES}/nvidia/nccl)
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${nccl_wheel}/include)
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${nccl_wheel}/lib)
find_path(CUDART_INCLUDE_DIR cuda_runtime_api.h HINTS ${PREFIXMEM_SITE_PACKAGES}/nvidia/cu13/include)

set(PREFIXMEM_HAVE_NCCL OFF)
if(PREFIXMEM_HAVE_CUDA AND NCCL_INCLUDE_DIR AND NCCL_LIBRARY AND CUDART_INCLUDE_DIR)
  set(PREFIXMEM_HAVE_NCCL ON)
  add_library(nccl::nccl INTERFACE IMPORTED)
  target_include_directories(nccl::nccl SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${CUDART_INCLUDE_DIR})
  get_filename_component(nccl_folder ${NCCL_LIBRARY} DIRECTORY)
  target_link_options(nccl::nccl INTERFACE -Wl,-rpath,${nccl_folder})
endif()
message(STATUS "NCCL: ${PREFIXMEM_HAVE_NCCL} ${NCCL_LIBRARY}")
