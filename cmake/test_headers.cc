// Only for the precompiled headers of the tests (room.cmake).
