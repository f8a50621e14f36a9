# gRPC 1.51 and Protobuf 3.21 from the system, and the generated code of proto/ as one library.
# Never linked into the trainer: LibTorch brings its own Protobuf headers.
find_package(Protobuf REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_library(GRPC_REFLECTION_LIB grpc++_reflection REQUIRED)

set(proto_out ${CMAKE_BINARY_DIR}/proto_gen)
file(MAKE_DIRECTORY ${proto_out})
file(GLOB proto_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/prefixmem/v1/*.proto)
set(proto_sources)
foreach(proto ${proto_files})
  get_filename_component(stem ${proto} NAME_WE)
  set(base ${proto_out}/prefixmem/v1/${stem})
  add_custom_command(
    OUTPUT ${base}.pb.cc ${base}.pb.h ${base}.grpc.pb.cc ${base}.grpc.pb.h
    COMMAND protobuf::protoc -I ${CMAKE_SOURCE_DIR}/proto --cpp_out=${proto_out}
            --grpc_out=${proto_out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${proto}
    DEPENDS ${proto_files})
  list(APPEND proto_sources ${base}.pb.cc ${base}.grpc.pb.cc)
endforeach()

# The standard health service: pmt calls it; the coordinator describes it, for reflection, and gRPC serves it.
set(health_proto ${CMAKE_SOURCE_DIR}/proto/grpc/health/v1/health.proto)
set(health_base ${proto_out}/grpc/health/v1/health)
add_custom_command(
  OUTPUT ${health_base}.pb.cc ${health_base}.pb.h ${health_base}.grpc.pb.cc ${health_base}.grpc.pb.h
  COMMAND protobuf::protoc -I ${CMAKE_SOURCE_DIR}/proto --cpp_out=${proto_out}
          --grpc_out=${proto_out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${health_proto}
  DEPENDS ${health_proto})
list(APPEND proto_sources ${health_base}.pb.cc ${health_base}.grpc.pb.cc)

add_library(prefixmem_proto STATIC ${proto_sources})
target_include_directories(prefixmem_proto SYSTEM PUBLIC ${proto_out})
target_compile_options(prefixmem_proto PRIVATE -w)
target_link_libraries(prefixmem_proto PUBLIC PkgConfig::GRPC ${GRPC_REFLECTION_LIB} protobuf::libprotobuf)
