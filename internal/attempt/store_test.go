package attempt

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// stores are all forms of Store; each passes the same tests.
func stores(t *testing.T) map[string]Store {
	db, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "attempts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return map[string]Store{"memory": NewMemoryStore(1000), "sqlite": db}
}

// sample is a record with every field set.
func sample(i int) Record {
	began := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
	return Record{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Began: began, Last: began.Add(20 * time.Millisecond), Ended: began.Add(20 * time.Millisecond),
		Outcome: Failed, Code: "cert.inactive", Count: 2, Door: DoorALPN,
		Source: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:5000", i%5)), Local: netip.MustParseAddrPort("[2001:db8::1]:443"),
		SNI: "gw.example.com", ALPNOffered: []string{"x-amzn-mqtt-ca"}, ALPN: "x-amzn-mqtt-ca", TLSVersion: "1.3", Cipher: "TLS_AES_128_GCM_SHA256",
		CertificateID: fmt.Sprint("cert", i%2), Certificate: []byte{0x30, 1, 2}, Principal: fmt.Sprint("cert", i%2), PrincipalARN: "arn:aws:iot:us-east-1:123456789012:cert/x",
		Protocol: "MQTT 5", ClientID: fmt.Sprint("c", i%3), Thing: "t", SDK: "sdk", Facts: Fields{{"b", "1"}, {"a", "2"}}, Dropped: 1,
		Steps: []Step{
			{Check: check.TCPAccepted, Outcome: Passed, Count: 1},
			{Check: check.CertInactive, Outcome: Failed, Evidence: Fields{{"status", "INACTIVE"}, {"required", "ACTIVE"}}, At: 12345 * time.Microsecond, Last: 2 * time.Second, Count: 3},
			{Check: check.PolicyNoneAttached, Outcome: Also, At: time.Second, Last: time.Second, Count: 1},
		},
	}
}

var sameRecord = cmp.Options{
	cmp.Comparer(func(a, b *check.Check) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
}

func TestStore(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			var all []Record
			for i := range 30 {
				all = append(all, sample(i))
			}
			if err := s.Write(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			got, found, err := s.Get(t.Context(), all[7].ID)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			if diff := cmp.Diff(all[7], got, sameRecord); diff != "" {
				t.Errorf("what was written is not what is read (-want +got):\n%s", diff)
			}
			if _, found, err := s.Get(t.Context(), "none"); found || err != nil {
				t.Errorf("a record that is not there: %v, %v", found, err)
			}
			for query, tt := range map[string]struct {
				f    Filter
				want int
			}{
				"all":           {Filter{}, 30},
				"client":        {Filter{ClientID: "c1"}, 10},
				"principal":     {Filter{Principal: "cert1"}, 15},
				"principal ARN": {Filter{Principal: all[0].PrincipalARN}, 30},
				"source":        {Filter{SourceIP: "192.0.2.3"}, 6},
				"outcome":       {Filter{Outcome: Failed}, 30},
				"other outcome": {Filter{Outcome: Passed}, 0},
				"code":          {Filter{Code: "cert.inactive"}, 30},
				"also code":     {Filter{Code: "policy.none_attached"}, 30},
				"passed code":   {Filter{Code: "tcp.accepted"}, 0},
				"like code":     {Filter{Code: "cert%"}, 0},
				"like code 2":   {Filter{Code: "policy.none.attached"}, 0},
				"since":         {Filter{Since: all[20].Last}, 10},
				"until":         {Filter{Until: all[20].Last}, 20},
				"joined":        {Filter{ClientID: "c1", Principal: "cert1", SourceIP: "192.0.2.3", Since: all[10].Last}, 1},
				"quote":         {Filter{ClientID: "' OR 1=1 --"}, 0},
			} {
				records, err := s.List(t.Context(), tt.f, Cursor{}, 100)
				if err != nil || len(records) != tt.want {
					t.Errorf("%s: %d records, %v; want %d", query, len(records), err, tt.want)
				}
			}
			var after Cursor
			for want := 29; want >= 0; want -= 4 {
				records, err := s.List(t.Context(), Filter{}, after, 4)
				if err != nil || len(records) == 0 || records[0].ID != all[want].ID {
					t.Fatalf("page from %d: %v, %v", want, records, err)
				}
				after = cursorOf(records[len(records)-1])
			}

			grown := all[3]
			grown.Count, grown.Last = 99, all[29].Last.Add(time.Hour)
			if err := s.Write(t.Context(), []Record{grown}); err != nil {
				t.Fatal(err)
			}
			if records, err := s.List(t.Context(), Filter{}, Cursor{}, 1); err != nil || records[0].ID != grown.ID || records[0].Count != 99 {
				t.Errorf("a record that grew: %v, %v", records, err)
			}

			if err := s.Prune(t.Context(), all[10].Last, 5); err != nil {
				t.Fatal(err)
			}
			left, err := s.List(t.Context(), Filter{}, Cursor{}, 100)
			if err != nil || len(left) != 5 || left[0].ID != grown.ID || left[4].ID != all[26].ID {
				t.Errorf("after pruning: %d records, %v", len(left), err)
			}
		})
	}
}

// TestPruneBySize: large records go before there are too many of them.
func TestPruneBySize(t *testing.T) {
	s, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "attempts.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.mostBytes = 2 << 20
	var batch []Record
	for i := range 200 {
		rec := sample(i)
		rec.Certificate = make([]byte, maxCertificate)
		batch = append(batch, rec)
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the estimate may need more than one step
		if err := s.Prune(t.Context(), time.Time{}, 1000); err != nil {
			t.Fatal(err)
		}
	}
	left, err := s.List(t.Context(), Filter{}, Cursor{}, 1000)
	if err != nil || len(left) == 0 || len(left) >= 150 || left[0].ID != batch[199].ID {
		t.Errorf("%d of 200 records of %d bytes are left in %d bytes, %v; want the latest ones", len(left), maxCertificate, s.mostBytes, err)
	}
	var used int64
	err = s.db.Write(t.Context(), func(tx *sql.Tx) error { used, err = usedBytes(t.Context(), tx); return err })
	if err != nil || used > s.mostBytes {
		t.Errorf("%d bytes are used, %v; want at most %d", used, err, s.mostBytes)
	}
}

// TestUnknownCode: a record of an older version stays readable.
func TestUnknownCode(t *testing.T) {
	var s Step
	if err := json.Unmarshal([]byte(`{"code":"old.code","title":"Old","outcome":"failed","atMs":1.5,"count":1,"evidence":{"z":"1","a":"2"}}`), &s); err != nil {
		t.Fatal(err)
	}
	want := Step{Check: &check.Check{Code: "old.code", Title: "Old", Passed: "Old"}, Outcome: Failed, Evidence: Fields{{"z", "1"}, {"a", "2"}}, At: 1500 * time.Microsecond, Last: 1500 * time.Microsecond, Count: 1}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	r := recorder(t, Config{})
	if report := r.Explain(Record{Outcome: Failed, Code: "old.code", Steps: []Step{s}}); report.Findings[0].Title != "Old" {
		t.Errorf("report %+v", report)
	}
}

func TestMemoryStoreIsBounded(t *testing.T) {
	s := NewMemoryStore(80)
	for i := range 500 {
		if err := s.Write(t.Context(), []Record{sample(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.records); n > 90 {
		t.Errorf("%d records, want at most 90", n)
	}
}

func BenchmarkSQLWrite(b *testing.B) {
	db, err := OpenStore(b.Context(), filepath.Join(b.TempDir(), "attempts.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	batch := make([]Record, 256)
	n := 0
	for b.Loop() {
		for i := range batch {
			batch[i] = sample(n)
			n++
		}
		if err := db.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
