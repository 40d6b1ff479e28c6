package server

import (
	"net/http"
	"runtime"
	"runtime/pprof"
)

// HeapPath answers what the heap holds after a collection, as `go tool pprof` reads it: names of
// functions and sizes, none of the content.
const HeapPath = "/gatehouse/v1/heap"

func (s *Server) heap(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	runtime.GC()
	w.Header().Set("Content-Type", "application/octet-stream")
	_ = pprof.Lookup("heap").WriteTo(w, 0) // a client that went away needs no answer
}
