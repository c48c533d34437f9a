"""Models adapted by one recipe, in several formats: judged, timed and weighed (C-2 to C-4)."""
