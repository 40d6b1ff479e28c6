//go:build linux

package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// When nothing can be written any more, API writes answer a clear error of the
// server, reads and devices go on, and attempts are lost and counted. When there
// is room again, all is as before, and nothing that was acknowledged is missing.
func TestDiskFull(t *testing.T) {
	t.Run("no space left", func(t *testing.T) {
		mount := t.TempDir()
		if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=8m"); err != nil {
			t.Skipf("SKIPPED: a small file system needs root: %v", err)
		}
		defer func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) }()
		filler := filepath.Join(mount, "filler")
		diskFull(t, filepath.Join(mount, "data"), func(*gatehouseproc.Process) error {
			f, err := os.Create(filler)
			if err != nil {
				return err
			}
			defer f.Close()
			for size := 64 << 10; size > 0; size /= 2 {
				for err = nil; err == nil; {
					_, err = f.Write(make([]byte, size))
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("the file system is not full: %w", err)
			}
			return nil
		}, func(*gatehouseproc.Process) error { return os.Remove(filler) })
	})
	t.Run("file too large", func(t *testing.T) {
		limit := func(gw *gatehouseproc.Process, bytes uint64) error {
			l := syscall.Rlimit{Cur: bytes, Max: 1<<64 - 1}
			if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(gw.PID), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&l)), 0, 0, 0); errno != 0 {
				return errno
			}
			return nil
		}
		diskFull(t, filepath.Join(t.TempDir(), "data"),
			func(gw *gatehouseproc.Process) error { return limit(gw, 1) },
			func(gw *gatehouseproc.Process) error { return limit(gw, 1<<64-1) })
	})
}

func diskFull(t *testing.T, dir string, fill, free func(*gatehouseproc.Process) error) {
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d := addDevice(t, gw, "d")
	api := gw.IoT()
	create := func(name string) error {
		_, err := api.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name})
		return err
	}
	works := func(clientID string) {
		t.Helper()
		tc, err := d.open("127.0.0.1", gw.Ports.MQTT, clientID, 4)
		if err != nil {
			t.Errorf("device %s: %v", clientID, err)
			return
		}
		defer tc.Close()
		tc.SetDeadline(time.Now().Add(10 * time.Second))
		if err := publishOnce(tc, "a"); err != nil {
			t.Errorf("device %s: %v", clientID, err)
		}
	}
	if err := create("before"); err != nil {
		t.Fatal(err)
	}
	works("before")

	if err := fill(gw); err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{"before": true}
	refused := 0
	for i := range 200 { // there may be room in a file that exists
		name := fmt.Sprintf("full-%d", i)
		began := time.Now()
		err := create(name)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("an answer took %v", took)
		}
		var status interface{ HTTPStatusCode() int }
		var code interface{ ErrorCode() string }
		switch {
		case err == nil:
			stored[name] = true
		case errors.As(err, &status) && status.HTTPStatusCode() >= 500 && errors.As(err, &code):
			refused++
			if code.ErrorCode() != "InternalFailureException" && code.ErrorCode() != "ServiceUnavailableException" {
				t.Errorf("a full disk is answered with %s", code.ErrorCode())
			}
			if strings.Contains(err.Error(), dir) {
				t.Errorf("the answer shows what is inside: %v", err)
			}
		default:
			t.Fatalf("a write on a full disk: %v, want a server error", err)
		}
		if refused == 5 {
			break
		}
	}
	if refused == 0 {
		t.Fatal("every write was acknowledged on a full disk")
	}
	t.Logf("%d writes were acknowledged before the disk was full", len(stored)-1)
	if _, err := api.ListThings(t.Context(), &iot.ListThingsInput{}); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	for range 20 {
		works("full")
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(gw.Output(), "attempts lost"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody says that attempts are lost")
		}
	}

	if err := free(gw); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; ; i++ {
		name := fmt.Sprintf("after-%d", i)
		err := create(name)
		if err == nil {
			stored[name] = true
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is room again, but: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	works("after")
	gw.Stop()

	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	api = gw.IoT()
	for name := range stored {
		if _, err := api.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: &name}); err != nil {
			t.Errorf("%s was acknowledged: %v", name, err)
		}
	}
	if _, _, err := gw.Run(t.Context(), "", "gatehouse", "explain", "--client-id", "after"); err != nil {
		t.Errorf("the attempt after the disk was freed: %v", err)
	}
	works("restarted")
}
