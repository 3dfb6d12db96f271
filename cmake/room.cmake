# trunkline_room(NAME DEPS other rooms... LIBS external libraries...)
#
# One target per folder of src/. Beside the code stand its tests (*_test.cc), its fuzz
# targets (*_fuzz.cc) and its micro-benchmarks (*_bench.cc); they are found by their names.
function(trunkline_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  set(benches ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|bench)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")

  list(TRANSFORM ROOM_DEPS PREPEND trunkline_)
  if(sources)
    add_library(trunkline_${name} STATIC ${sources})
    target_include_directories(trunkline_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(trunkline_${name} PUBLIC ${ROOM_DEPS} ${ROOM_LIBS})
    trunkline_warnings(trunkline_${name})
    # Reading headers is two thirds of a build from nothing; the tests' files stand alone.
    # GCC takes what is in an anonymous namespace for part of an interface there, once a file includes it.
    target_compile_options(trunkline_${name} PRIVATE
      $<$<AND:$<BOOL:${TRUNKLINE_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
    set_target_properties(trunkline_${name} PROPERTIES UNITY_BUILD ${TRUNKLINE_UNITY} UNITY_BUILD_BATCH_SIZE 8)
  else()
    add_library(trunkline_${name} INTERFACE)
    target_include_directories(trunkline_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(trunkline_${name} INTERFACE ${ROOM_DEPS} ${ROOM_LIBS})
  endif()

  if(TRUNKLINE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE trunkline_${name} GTest::gmock GTest::gtest_main rapidcheck)
    trunkline_warnings(${name}_test)
    trunkline_test_headers(${name}_test)
    gtest_discover_tests(${name}_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
  endif()
  if(TRUNKLINE_FUZZ)
    foreach(file ${fuzzers})
      get_filename_component(stem ${file} NAME_WE)
      add_executable(${stem} ${file})
      target_link_libraries(${stem} PRIVATE trunkline_${name})
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      trunkline_warnings(${stem})
    endforeach()
  endif()
  if(TRUNKLINE_BENCH AND benches)
    find_package(benchmark REQUIRED)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE trunkline_${name} benchmark::benchmark_main)
    trunkline_warnings(${name}_bench)
  endif()
endfunction()

# Whoever builds once reads the headers of the test frameworks once, too; else each file names what it needs.
function(trunkline_test_headers target)
  if(NOT TRUNKLINE_UNITY)
    return()
  endif()
  if(NOT TARGET trunkline_test_headers)
    add_library(trunkline_test_headers OBJECT ${PROJECT_SOURCE_DIR}/cmake/test_headers.cc)
    target_link_libraries(trunkline_test_headers PRIVATE fmt::fmt GTest::gmock GTest::gtest_main rapidcheck)
    trunkline_warnings(trunkline_test_headers)
    target_precompile_headers(trunkline_test_headers PRIVATE
      <gmock/gmock.h> <gtest/gtest.h> <rapidcheck/gtest.h> <fmt/format.h>
      <algorithm> <chrono> <filesystem> <fstream> <functional> <map> <memory> <optional> <string> <thread> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM trunkline_test_headers)
  # What GCC 12 wrongly says of std::string (the bugs named below) it keeps to itself for a system's header, but not for
  # one out of such a file.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds$<SEMICOLON>-Wno-stringop-overflow>)
endfunction()

function(trunkline_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
  # Optimising, GCC 12 sees overflows in std::vector's insertions that are not there (GCC bug 105329 and its kin);
  # the sanitizers look for real ones.
  target_compile_options(${target} PRIVATE
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-array-bounds$<SEMICOLON>-Wno-stringop-overflow>)
  # clang blames us for what libstdc++ 12 calls inside std::stable_sort; GCC tells of our own calls.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
  if(TRUNKLINE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
