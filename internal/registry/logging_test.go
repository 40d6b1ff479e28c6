package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

const loggingRole = "arn:aws:iam::123456789012:role/logs"

// TestLoggingOptions: what is required first, what stays, and what is refused. Source: logs sheet 1.1.
func TestLoggingOptions(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	changes := watchAll(t, r)
	_, err := r.LoggingOptions(ctx)
	wantRefusal(t, err, NotConfigured, "Logging is not configured")
	_, err = r.LogLevels(ctx, "")
	wantRefusal(t, err, NotConfigured, "Logging is not configured")
	for _, level := range []LogTarget{{LogTargetClientID, "c"}, {Type: LogTargetDefault}} {
		wantRefusal(t, r.SetLogLevel(ctx, level, LogInfo), NotConfigured, "Logging is not configured")
	}
	role, bad, debug, all := loggingRole, "role/logs", LogDebug, true
	wantRefusal(t, r.SetLoggingOptions(ctx, LoggingUpdate{RoleARN: &role}), InvalidRequest, "The first call needs roleArn and defaultLogLevel")
	wantRefusal(t, r.SetLoggingOptions(ctx, LoggingUpdate{RoleARN: &bad, DefaultLevel: &debug}), InvalidRequest, `roleArn "role/logs" is not the ARN of an IAM role`)
	if len(*changes) != 0 {
		t.Errorf("refusals told of %v", *changes)
	}
	set := func(u LoggingUpdate) LoggingOptions {
		t.Helper()
		if err := r.SetLoggingOptions(ctx, u); err != nil {
			t.Fatal(err)
		}
		return got(r.LoggingOptions(ctx))(t)
	}
	events := []EventLogging{{EventType: "Ping", Level: LogDebug, Destination: "PingLogs"}, {EventType: "Gatehouse.ConnectionRefused", Level: LogDisabled}}
	want := LoggingOptions{RoleARN: role, DefaultLevel: LogDebug}
	for _, step := range []struct {
		change LoggingUpdate
		want   func()
	}{
		{LoggingUpdate{RoleARN: &role, DefaultLevel: &debug}, func() {}},
		{LoggingUpdate{Events: events}, func() { want.Events = events }},
		{LoggingUpdate{DisableAll: &all}, func() { want.DisableAll = true }},
		{LoggingUpdate{Events: []EventLogging{}}, func() { want.Events = []EventLogging{} }},
	} {
		step.want()
		if diff := cmp.Diff(want, set(step.change)); diff != "" {
			t.Errorf("options (-want +got):\n%s", diff)
		}
	}
	if len(*changes) != 4 || (*changes)[0] != (Change{Kind: LoggingChanged}) {
		t.Errorf("changes %v", *changes)
	}
	for text, e := range map[string][]EventLogging{
		`There is no event type "Pong"`:              {{EventType: "Pong"}},
		"The event type Ping is configured twice":    {{EventType: "Ping"}, {EventType: "Ping"}},
		`logLevel "LOUD" of Ping is not a log level`: {{EventType: "Ping", Level: "LOUD"}},
		"is not the name of a log group":             {{EventType: "Ping", Destination: "a b"}},
	} {
		wantRefusal(t, r.SetLoggingOptions(ctx, LoggingUpdate{Events: e}), InvalidRequest, text)
	}
}

// TestLogLevels: levels of targets, for good and for a time. Source: logs sheet 1.1.
func TestLogLevels(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	role, level := loggingRole, LogError
	if err := r.SetLoggingOptions(ctx, LoggingUpdate{RoleARN: &role, DefaultLevel: &level}); err != nil {
		t.Fatal(err)
	}
	levels := func() (list []string) {
		t.Helper()
		for _, l := range got(r.LogLevels(ctx, ""))(t) {
			text := fmt.Sprintf("%s %s %s", l.Target.Type, l.Target.Name, l.Level)
			if !l.Expires.IsZero() {
				text += " for a time"
			}
			list = append(list, text)
		}
		return list
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(r.SetLogLevel(ctx, LogTarget{LogTargetClientID, "c"}, LogInfo))
	do(r.SetLogLevel(ctx, LogTarget{LogTargetSourceIP, "::ffff:192.0.2.1"}, LogDebug))
	do(r.SetLogLevel(ctx, LogTarget{Type: LogTargetDefault}, LogWarn))
	_ = got(r.SetLogLevelFor(ctx, LogTarget{LogTargetClientID, "c"}, LogDebug, time.Hour))(t)
	_ = got(r.SetLogLevelFor(ctx, LogTarget{Type: LogTargetDefault}, LogInfo, time.Hour))(t)
	if diff := cmp.Diff([]string{"DEFAULT  INFO for a time", "CLIENT_ID c DEBUG for a time", "SOURCE_IP 192.0.2.1 DEBUG"}, levels()); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if o := got(r.LoggingOptions(ctx))(t); o.DefaultLevel != LogInfo {
		t.Errorf("the default level in force is %s", o.DefaultLevel)
	}
	do(r.EndTemporaryLogLevel(ctx, LogTarget{Type: LogTargetDefault}))
	do(r.write(ctx, func(t *tx) error { // as if its time had come
		return t.PutLogLevel(ctx, registrydb.PutLogLevelParams{TargetType: "CLIENT_ID", TargetName: "c", Temporary: 1, Level: "DEBUG", ExpiresAt: time.Now().UnixMilli()})
	}))
	if diff := cmp.Diff([]string{"DEFAULT  WARN", "CLIENT_ID c INFO", "SOURCE_IP 192.0.2.1 DEBUG"}, levels()); diff != "" {
		t.Errorf("levels afterwards (-want +got):\n%s", diff)
	}
	do(r.DeleteLogLevel(ctx, LogTarget{LogTargetSourceIP, "192.0.2.1"}))
	do(r.DeleteLogLevel(ctx, LogTarget{LogTargetSourceIP, "192.0.2.1"}))
	if list := got(r.LogLevels(ctx, LogTargetSourceIP))(t); len(list) != 0 {
		t.Errorf("deleted: %v", list)
	}
	for text, target := range map[string]LogTarget{
		"needs a targetName":               {Type: LogTargetClientID},
		"is not an IPv4 or IPv6 address":   {LogTargetSourceIP, "192.0.2.0/24"},
		"There is no thing group nowhere":  {LogTargetThingGroup, "nowhere"},
		`There is no target type "PLANET"`: {"PLANET", "x"},
		"The target DEFAULT has no name":   {LogTargetDefault, "x"},
	} {
		wantRefusal(t, r.SetLogLevel(ctx, target, LogInfo), InvalidRequest, text)
	}
	wantRefusal(t, r.DeleteLogLevel(ctx, LogTarget{Type: LogTargetDefault}), InvalidRequest, "can be set to DISABLED, not deleted")
	_, err := r.SetLogLevelFor(ctx, LogTarget{LogTargetClientID, "c"}, LogInfo, 31*24*time.Hour)
	wantRefusal(t, err, InvalidRequest, "one second to 30 days")
	for i := range maxLogTargets - 1 {
		do(r.SetLogLevel(ctx, LogTarget{LogTargetClientID, fmt.Sprint(i)}, LogInfo))
	}
	wantRefusal(t, r.SetLogLevel(ctx, LogTarget{LogTargetClientID, "one more"}, LogInfo), LimitExceeded, "There are 1000 targets")
}

// TestThingsOfGroups: a group's level reaches the things of its descendants, a
// child's own level comes first, and of several groups the chosen one counts.
// Source: logs sheet 1.2.
func TestThingsOfGroups(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	makeGroups(t, r, "plant", "plant/hall", "hall/row", "site", "none")
	for thing, groups := range map[string][]string{"a": {"plant"}, "b": {"row"}, "c": {"hall", "site"}, "d": {"none"}} {
		_ = got(r.CreateThing(ctx, NewThing{Name: thing}))(t)
		for _, g := range groups {
			if err := r.AddThingToGroup(ctx, thing, g); err != nil {
				t.Fatal(err)
			}
		}
	}
	things, err := r.ThingsOfGroups(ctx, map[string]LogLevel{"plant": LogInfo, "hall": LogError, "site": LogDebug, "gone": LogDebug}, func(a, b LogLevel) LogLevel {
		if a == LogDebug || b == LogDebug {
			return LogDebug
		}
		return a
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]LogLevel{"a": LogInfo, "b": LogError, "c": LogDebug}, things); diff != "" {
		t.Errorf("levels of things (-want +got):\n%s", diff)
	}
}
