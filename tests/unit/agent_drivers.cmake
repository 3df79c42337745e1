# The drivers of the agent: their parsers and state machines, hostile compositors, and real ones.
compositord_test(agent_process
  SOURCES agent_process_test.cpp known_exit_test.cpp support/temp_dir.cpp
  LIBRARIES compositord::agent_process compositord::clock
  OWN_MAIN)
compositord_test(child_process
  SOURCES child_process_test.cpp
  LIBRARIES compositord::agent_process)
compositord_test(agent_sway
  SOURCES sway_ipc_test.cpp sway_command_test.cpp
  LIBRARIES compositord::agent_sway)
compositord_test(agent_wayland
  SOURCES hostile_wayland_test.cpp display_watch_test.cpp compositor_facts_test.cpp support/temp_dir.cpp
  LIBRARIES compositord::agent_wayland compositord::clock)
compositord_test(agent_output
  SOURCES output_command_runner_test.cpp
  LIBRARIES compositord::agent_output)
compositord_test(drivers
  SOURCES ../integration/drivers_test.cpp ../integration/wlr_driver_test.cpp
          ../integration/kde_driver_test.cpp support/driver_loop.cpp support/compositor_process.cpp support/support_facts.cpp
  LIBRARIES compositord::agent_sway compositord::clock
  LABELS integration support_matrix
  DEFINITIONS ${COMPOSITORD_SUPPORT_MATRIX}
  TIMEOUT 120)
