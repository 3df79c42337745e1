# Strangers' Majordomo code against the real broker. What is compiled here is no part of the product and uses none of
# it.
compositord_pkg(czmq "libczmq>=4.2" libczmq-dev)
add_executable(mdp01 "${CMAKE_CURRENT_LIST_DIR}/foreign/mdp01.c")
target_link_libraries(mdp01 PRIVATE compositord_dep::czmq compositord_dep::zmq)
target_compile_options(mdp01 PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                     $<$<BOOL:${COMPOSITORD_WERROR}>:-Werror>)
if(COMPOSITORD_SANITIZE)
  # It plays a stranger; what sanitizers think of czmq is no matter of ours.
  target_compile_options(mdp01 PRIVATE -fno-sanitize=all)
  target_link_options(mdp01 PRIVATE -fno-sanitize=all)
endif()

compositord_script_test(foreign_mdp
  SCRIPT foreign_mdp.py
  LABELS integration foreign
  TIMEOUT 600
  ENVIRONMENT "COMPOSITORD=${CMAKE_BINARY_DIR}/bin/compositord"
              "MDP01=${CMAKE_BINARY_DIR}/bin/mdp01")
