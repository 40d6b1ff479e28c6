package mqttconn

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A record of departed tells all that the connection was, whatever its names and addresses are.
func TestDepartedRoundTrip(t *testing.T) {
	names := rapid.StringN(0, 130, -1)
	addresses := rapid.Custom(func(t *rapid.T) netip.AddrPort {
		port := rapid.Uint16().Draw(t, "port")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return netip.AddrPort{}
		case 1:
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4"))), port)
		case 2:
			return netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone("eth0"), port)
		}
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "IPv6"))), port)
	})
	rapid.Check(t, func(t *rapid.T) {
		want := Connection{
			ClientID: names.Draw(t, "client ID"), ThingName: names.Draw(t, "thing name"),
			KeepAlive: time.Duration(rapid.Uint16().Draw(t, "keep alive")) * time.Second,
			Source:    addresses.Draw(t, "source"), Target: addresses.Draw(t, "target"),
			DisconnectedSince: time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "at")),
			DisconnectReason:  string(rapid.SampledFrom(faults).Draw(t, "reason")), number: rapid.Int64Min(0).Draw(t, "number"),
		}
		if rapid.Bool().Draw(t, "named alike") {
			want.ThingName = want.ClientID
		}
		var d departed
		other := want
		other.ClientID, other.DisconnectReason = want.ClientID+"x", string(clientInitiated)
		d.add(other)
		d.add(want)
		got, found := d.find(want.ClientID, want.DisconnectedSince.Add(rememberEnding))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Connection{}), cmpopts.EquateComparable(netip.AddrPort{})); !found || diff != "" {
			t.Fatalf("found %v (-want +got):\n%s", found, diff)
		}
	})
}

// A model of departed keeps whole connections in the order in which they ended.
func TestDepartedLikeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d departed
		var model []Connection
		at := func(id string) int {
			for i := range model {
				if model[i].ClientID == id {
					return i
				}
			}
			return -1
		}
		forget := func(i int) { model = append(model[:i:i], model[i+1:]...) }
		now := time.Unix(1_800_000_000, 0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				c := Connection{
					ClientID: rapid.StringMatching("[a-f]").Draw(t, "client ID"), number: rapid.Int64Range(0, 5).Draw(t, "number"),
					DisconnectedSince: now, DisconnectReason: string(keepAliveOver),
				}
				if above := d.add(c); above != 0 {
					t.Fatalf("numbers below %d are forgotten", above)
				}
				if i := at(c.ClientID); i >= 0 {
					if model[i].number > c.number {
						return
					}
					forget(i)
				}
				for len(model) > 0 && now.Sub(model[0].DisconnectedSince) > rememberNumber {
					forget(0)
				}
				model = append(model, c)
			},
			"take": func(t *rapid.T) {
				id := rapid.StringMatching("[a-f]").Draw(t, "client ID")
				want := int64(-1)
				if i := at(id); i >= 0 {
					if now.Sub(model[i].DisconnectedSince) <= rememberNumber {
						want = model[i].number
					}
					forget(i)
				}
				if got := d.take(id, now); got != want {
					t.Fatalf("%s had the number %d, want %d", id, got, want)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				if len(d.index) != len(model) {
					t.Fatalf("%d are remembered, want %d", len(d.index), len(model))
				}
				for _, c := range model {
					got, found := d.find(c.ClientID, now)
					if recent := now.Sub(c.DisconnectedSince) <= rememberEnding; found != recent || found && (got.number != c.number || !got.DisconnectedSince.Equal(c.DisconnectedSince)) {
						t.Fatalf("found %v %+v, want %v %+v", found, got, recent, c)
					}
				}
			},
		})
	})
}

// What departed holds for a client is small, and does not grow with how often the client is here.
func TestDepartedMemory(t *testing.T) {
	connection := func(client string, number int) Connection {
		return Connection{
			ClientID: client, ThingName: client, KeepAlive: time.Minute, DisconnectedSince: time.Unix(1_800_000_000, int64(number)), DisconnectReason: string(clientInitiated), number: int64(number),
			Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(number >> 8), byte(number)}), 40_000), Target: netip.MustParseAddrPort("10.0.0.1:8883"),
		}
	}
	held := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var d departed
	before := held()
	for i := range maxDeparted {
		d.add(connection(fmt.Sprintf("building-7-boiler-%06d", i), i))
	}
	each := (held() - before) / maxDeparted
	t.Logf("%d bytes a client", each)
	if each > 200 {
		t.Errorf("a client takes %d bytes, want at most 200", each)
	}
	runtime.KeepAlive(&d)

	var often departed
	for i := range 1000 {
		for k := range 20 {
			often.add(connection(fmt.Sprint("guest-", k), i))
		}
	}
	if len(often.records) != 21 { // and the root
		t.Errorf("20 clients have %d records", len(often.records))
	}
}
