package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// TestHundredQueries: a hundred queries run or wait, the next one is refused; one
// that is stopped is Cancelled; all others end with the right rows, also while
// segments are dropped below them.
func TestHundredQueries(t *testing.T) {
	store, err := logs.Open(logs.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{Store: store, Account: "123456789012", Region: "us-east-1", Log: slog.New(slog.DiscardHandler)})
	defer func() {
		if err := errors.Join(h.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	now := time.Now()
	for _, group := range []string{"g", "gone"} {
		for k := range 4 {
			events := make([]logs.Event, 500)
			for i := range events {
				events[i] = logs.Event{Time: now.UnixMilli(), Message: fmt.Sprintf(`{"n":%d,"clientId":"c%d"}`, i, i%10)}
			}
			if err := store.Put(group, fmt.Sprint("s", k), events); err != nil {
				t.Fatal(err)
			}
			if err := store.Pack(); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := func(group string) (string, error) {
		out, err := h.StartQuery(ctx, &StartQueryRequest{
			LogGroupNames: []string{group, "g"}, StartTime: now.Unix() - 60, EndTime: now.Unix() + 60, QueryString: "stats count(*) as c by clientId | sort clientId asc | limit 1",
		})
		if err != nil {
			return "", err
		}
		return *out.QueryId, nil
	}
	for range queriesAtOnce { // nobody runs for now
		h.queries.places <- struct{}{}
	}
	var ids []string
	for i := range maxQueries {
		group := "g"
		if i%2 == 0 {
			group = "gone"
		}
		id, err := start(group)
		if err != nil {
			t.Fatalf("query %d: %v", i, err)
		}
		ids = append(ids, id)
	}
	if _, err := start("g"); api.From(err).Code != "LimitExceededException" {
		t.Errorf("one more: %v", err)
	}
	if out, err := h.GetQueryResults(ctx, &GetQueryResultsRequest{QueryId: ids[0]}); err != nil || *out.Status != QueryStatusScheduled || len(out.Results) != 0 {
		t.Errorf("a query that waits: %+v, %v", out, err)
	}
	if _, err := h.StopQuery(ctx, &StopQueryRequest{QueryId: ids[7]}); err != nil {
		t.Error(err)
	}
	for range queriesAtOnce {
		<-h.queries.places
	}
	if err := store.DeleteGroup("gone"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			for {
				out, err := h.GetQueryResults(ctx, &GetQueryResultsRequest{QueryId: id})
				if err != nil {
					t.Error(err)
					return
				}
				switch {
				case *out.Status == QueryStatusScheduled || *out.Status == QueryStatusRunning:
					time.Sleep(time.Millisecond)
					continue
				case i == 7:
					if *out.Status != QueryStatusCancelled {
						t.Errorf("the query that was stopped is %s", *out.Status)
					}
				case *out.Status != QueryStatusComplete:
					t.Errorf("query %d is %s", i, *out.Status)
				case i%2 == 1 && *out.Results[0][1].Value != "200":
					t.Errorf("query %d found %s, want 200", i, *out.Results[0][1].Value)
				}
				return
			}
		})
	}
	all.Wait()
	if _, err := start("g"); err != nil {
		t.Errorf("after all ended: %v", err)
	}
	if _, err := h.StopQuery(ctx, &StopQueryRequest{QueryId: ids[0]}); api.From(err).Code != "InvalidParameterException" {
		t.Errorf("stopping what has ended: %v", err)
	}
}
