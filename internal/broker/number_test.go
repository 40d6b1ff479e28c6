package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
)

// TestNumber: the numbers of a client ID's connections grow, also over restarts, and begin again when
// it is forgotten. Source: mqtt sheet 17.3.
func TestNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		number := func(id string, o SessionOptions) int64 {
			t.Helper()
			c, _, _ := arrive(b, id, o)
			defer leave(b, c)
			return c.Number()
		}
		want := func(what string, got, want int64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: number %d, want %d", what, got, want)
			}
		}
		restart := func() {
			b.Close()
			b = stored(t, l)
		}
		session := SessionOptions{Expiry: hour}
		want("first", number("v", SessionOptions{}), 0)
		want("the caller remembers the last one", number("v", SessionOptions{Least: 1}), 1)
		want("first of a session", number("s", session), 0)
		want("resumed", number("s", session), 1)
		want("its session ends with it", number("s", SessionOptions{Clean: true}), 2)
		want("a session again, the caller remembers", number("s", SessionOptions{Expiry: hour, Least: 3}), 3)

		first, _, _ := arrive(b, "t", SessionOptions{})
		second, _, _ := arrive(b, "t", SessionOptions{})
		want("take-over", second.Number(), first.Number()+1)
		leave(b, first)
		leave(b, second)

		restart()
		want("a session, after a restart", number("s", session), 100)
		want("another one, after a restart", number("v", SessionOptions{}), 100)
		for n := int64(101); n < 300; n++ {
			want("many times", number("v", SessionOptions{Least: n}), n)
		}
		restart()
		if n := number("v", SessionOptions{}); n < 300 {
			t.Errorf("after 300 connections and a restart: number %d", n)
		}
		time.Sleep(hour - time.Minute)
		again := number("s", session)
		if again < 300 {
			t.Errorf("a session, after another: number %d", again)
		}
		time.Sleep(2 * time.Minute)
		want("forgotten, an hour after the restart", number("v", SessionOptions{}), 0)
		want("a session is not", number("s", session), again+1)
		b.SkipNumbers(40)
		b.SkipNumbers(7)
		want("the caller forgot some", number("v", SessionOptions{}), 40)
		want("it remembers this one", number("w", SessionOptions{Least: 3}), 3)
		b.Close()
	})
}
