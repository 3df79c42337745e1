# Interoperability: strangers in Python (pyzmq, msgpack, jsonschema) against the real programs, and the normative
# documents against both. Each starts brokers of its own on ports that the system chooses.
foreach(subject IN ITEMS admin agent alerts disk documents dump feed history hostile identity jobs limits link mdp
                         messages notify req_sockets start store trace)
  compositord_script_test(bus_${subject}
    SCRIPT bus_${subject}.py
    LABELS integration
    TIMEOUT 180
    ENVIRONMENT "COMPOSITORD=${CMAKE_BINARY_DIR}/bin/compositord"
                "COMPOSITOR_AGENT=${CMAKE_BINARY_DIR}/bin/compositor-agent"
                "COMPOSITORCTL=${CMAKE_BINARY_DIR}/bin/compositorctl"
                "TRACE_REPLAY=${CMAKE_BINARY_DIR}/bin/trace_replay"
                "COMPOSITORD_SANITIZE=${COMPOSITORD_SANITIZE}")
endforeach()
