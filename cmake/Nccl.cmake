# nccl::nccl from the wheel that torch depends on, or from the system; PREFIXMEM_HAVE_NCCL says
# whether it was found and so which file implements the CUDA collective. The CUDA runtime headers
# come from the same place.
set(nccl_wheel ${PREFIXMEM_SITE_PACKAGES}/nvidia/nccl)
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${nccl_wheel}/include)
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${nccl_wheel}/lib)
find_path(CUDART_INCLUDE_DIR cuda_runtime_api.h HINTS ${PREFIXMEM_SITE_PACKAGES}/nvidia/cu13/include)
find_library(CUDART_LIBRARY NAMES cudart libcudart.so.13 HINTS ${PREFIXMEM_SITE_PACKAGES}/nvidia/cu13/lib)

set(PREFIXMEM_HAVE_NCCL OFF)
if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY AND CUDART_INCLUDE_DIR AND CUDART_LIBRARY)
  set(PREFIXMEM_HAVE_NCCL ON)
  add_library(nccl::nccl INTERFACE IMPORTED)
  target_include_directories(nccl::nccl SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${CUDART_INCLUDE_DIR})
  target_link_libraries(nccl::nccl INTERFACE ${NCCL_LIBRARY} ${CUDART_LIBRARY})
endif()
message(STATUS "NCCL: ${PREFIXMEM_HAVE_NCCL} ${NCCL_LIBRARY}")
