package logs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"
)

// What is in a block is no longer in memory: neither the members of its entries nor its messages.
func TestBlocksKeepNoEvents(t *testing.T) {
	s := open(t, t.TempDir())
	g, st, err := s.ensure("g", "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]weak.Pointer[Members]{}
	texts := map[string]weak.Pointer[byte]{}
	for i := range 3 {
		name := fmt.Sprint("entry ", i)
		m := NewMembers(fmt.Sprintf(`"key%d":%q`, i, strings.Repeat("x", 1<<10)))
		members[name], texts[name] = weak.Make(m), weak.Make(unsafe.StringData(m.text))
		if err := s.writeEntries(g, st, []Entry{{1, NewBody([MaxParts]*Members{m})}}); err != nil {
			t.Fatal(err)
		}
		message := fmt.Sprintf(`{"own%d":%q}`, i, strings.Repeat("y", 1<<10))
		texts[fmt.Sprint("message ", i)] = weak.Make(unsafe.StringData(message))
		if err := s.write(g, st, []Event{{1, message}}); err != nil {
			t.Fatal(err)
		}
		sealAll(t, s)
	}
	runtime.GC()
	for name, p := range members {
		if p.Value() != nil {
			t.Errorf("the members of %s are kept", name)
		}
	}
	for name, p := range texts {
		if p.Value() != nil {
			t.Errorf("the text of %s is kept", name)
		}
	}
	if n := len(all(t, s, "g")); n != 6 {
		t.Errorf("%d events, want 6", n)
	}
}
