# torch::torch: LibTorch from a LibTorch zip or full CUDA toolkit (find_package(Torch)) where
# -DTorch_DIR says so, otherwise from the PyPI wheel in .deps/venv, whose own CMake files insist on
# a whole CUDA toolkit that nobody needs here.
add_library(prefixmem_torch INTERFACE)
add_library(torch::torch ALIAS prefixmem_torch)
# Whether it has a part for CUDA, which worker/trainer/collective/cuda.cc loads by name.
set(PREFIXMEM_HAVE_CUDA OFF)

if(Torch_DIR)
  find_package(Torch REQUIRED)
  target_link_libraries(prefixmem_torch INTERFACE ${TORCH_LIBRARIES})
  target_link_options(prefixmem_torch INTERFACE -fopenmp)
  if(TARGET torch_cuda)
    set(PREFIXMEM_HAVE_CUDA ON)
  endif()
  return()
endif()

set(PREFIXMEM_VENV ${CMAKE_SOURCE_DIR}/.deps/venv CACHE PATH "Virtual environment with the torch wheel")
file(GLOB site_packages ${PREFIXMEM_VENV}/lib/python3.*/site-packages)
if(NOT EXISTS ${site_packages}/torch/lib/libtorch.so)
  message(FATAL_ERROR "No LibTorch: ${PREFIXMEM_VENV} holds no torch wheel. Run 'make setup', or give -DTorch_DIR=.")
endif()
set(PREFIXMEM_SITE_PACKAGES ${site_packages})
set(torch_lib ${site_packages}/torch/lib)
file(GLOB nvidia_libs ${site_packages}/nvidia/*/lib)

target_include_directories(prefixmem_torch SYSTEM INTERFACE
  ${site_packages}/torch/include ${site_packages}/torch/include/torch/csrc/api/include)
target_compile_definitions(prefixmem_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_options(prefixmem_torch INTERFACE -Wl,--no-as-needed)
set(rpaths ${torch_lib} ${nvidia_libs})
foreach(dir ${rpaths})
  target_link_options(prefixmem_torch INTERFACE -Wl,-rpath,${dir} -Wl,-rpath-link,${dir})
endforeach()
if(EXISTS ${torch_lib}/libtorch_cuda.so)
  set(PREFIXMEM_HAVE_CUDA ON)
endif()
# libtorch.so would bring the part for CUDA.
foreach(lib torch_cpu c10)
  target_link_libraries(prefixmem_torch INTERFACE ${torch_lib}/lib${lib}.so)
endforeach()
# The OpenMP that LibTorch itself runs on, so that there is one pool of threads.
file(GLOB torch_gomp ${torch_lib}/libgomp*.so*)
target_link_libraries(prefixmem_torch INTERFACE ${torch_gomp})
