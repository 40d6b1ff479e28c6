//go:build linux

package faults

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// A million filters are subscribed to and unsubscribed from, none of them twice, by clients of both
// versions, one of which has a stored session: nothing of that stays in the server's memory.
func TestSubscribeAndUnsubscribe(t *testing.T) {
	const all = 1_000_000
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := addDevice(t, gw, "cycle")
	clients := []*thinmqtt.Client{
		connectTo(t, gw, d, thinmqtt.Options{ClientID: "cycle-0"}),
		connectTo(t, gw, d, thinmqtt.Options{ClientID: "cycle-1", Version: mqtt.V5}),
		connectTo(t, gw, d, thinmqtt.Options{ClientID: "cycle-2", Version: mqtt.V5, Keep: true}),
	}
	cycle := func(from, to int) {
		t.Helper()
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() {
				if err := cycleFilters(c, i, from, to, len(clients)); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	}
	cycle(0, all/20)
	before, began := liveHeap(t, gw), time.Now()
	cycle(all/20, all+all/20)
	took := time.Since(began)
	const bound = 2 << 20
	var grown int64
	for range 20 { // the log may be compacting
		if grown = liveHeap(t, gw) - before; grown <= bound {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("%d filters in %v: live heap %d KiB, then %d KiB more; %v", all, took.Round(time.Millisecond), before>>10, grown>>10, usageOf(gw.PID))
	if grown > bound {
		t.Errorf("a million filters left %d KiB in the heap", grown>>10)
	}
	for i, c := range clients { // they work still
		if err := c.Subscribe(1, nil, fmt.Sprint("end/", i)); err != nil {
			t.Error(err)
		}
	}
}

// cycleFilters has client i of so many subscribe to its part of the filters and unsubscribe again, 8
// in a packet, without waiting for each answer. A SUBACK that refuses one is an error.
func cycleFilters(c *thinmqtt.Client, i, from, to, clients int) error {
	const (
		filters = 8
		ahead   = 100 // pairs of packets that wait for their answers
	)
	pairs := (to - from) / clients / filters
	slots := make(chan struct{}, ahead)
	answered := make(chan error, 1)
	go func() {
		answered <- func() error {
			for range pairs {
				for _, want := range []mqtt.PacketType{mqtt.TypeSuback, mqtt.TypeUnsuback} {
					p, err := c.Next()
					if err != nil {
						return err
					}
					if p.Type() != want {
						return fmt.Errorf("%v comes, want %v", p.Type(), want)
					}
					if ack, ok := p.(*mqtt.Suback); ok {
						for _, code := range ack.Codes {
							if code.Failed() {
								return fmt.Errorf("SUBACK %#x", byte(code))
							}
						}
					}
				}
				<-slots
			}
			return nil
		}()
	}()
	for n := range pairs {
		sub := &mqtt.Subscribe{PacketID: uint16(2*n%60_000 + 1)}
		unsub := &mqtt.Unsubscribe{PacketID: sub.PacketID + 1}
		for j := range filters {
			f := fmt.Appendf(nil, []string{"c/%d/x%d", "c/%d/+/x%d", "c/%d/x%d/#", "$share/g/c/%d/x%d"}[j%4], from+n*filters+j, i)
			sub.Filters = append(sub.Filters, mqtt.Subscription{Filter: f, QoS: 1})
			unsub.Filters = append(unsub.Filters, f)
		}
		select {
		case slots <- struct{}{}:
		case err := <-answered:
			return err
		}
		b, err := sub.Append(nil, c.Version)
		if err == nil {
			b, err = unsub.Append(b, c.Version)
		}
		if err == nil {
			_, err = c.Write(b)
		}
		if err != nil {
			return err
		}
	}
	return <-answered
}

// liveHeap is what the server's heap holds after a collection, in bytes.
func liveHeap(t *testing.T, gw *gatehouseproc.Process) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := gw.Heap(ctx); err != nil { // collects
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, gw.APIURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_heap_alloc_bytes "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int64(n)
		}
	}
	t.Fatal("/metrics does not tell the size of the heap")
	return 0
}
