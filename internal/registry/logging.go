package registry

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A LogLevel is how much of what devices do is logged. Each level includes those before it.
type LogLevel string

// The levels. The zero LogLevel stands for one that is not set.
const (
	LogDisabled LogLevel = "DISABLED"
	LogError    LogLevel = "ERROR"
	LogWarn     LogLevel = "WARN"
	LogInfo     LogLevel = "INFO"
	LogDebug    LogLevel = "DEBUG"
)

var logLevels = []LogLevel{LogDisabled, LogError, LogWarn, LogInfo, LogDebug}

// Valid tells whether l is one of the levels.
func (l LogLevel) Valid() bool { return slices.Contains(logLevels, l) }

// LogEventTypes are the types of log events that can be configured one by one, AWS's and after
// them Gatehouse's own. Source: logs sheet 3.2.
var LogEventTypes = []string{
	"AddThingToDynamicThingGroupsFailed", "Connect", "Connection.AuthNError", "DeleteConnection", "DeleteThingShadow", "DescribeJobExecution",
	"Disconnect", "FunctionExecution", "GetConnection", "GetDeviceCredentials", "GetPendingJobExecution", "GetRetainedMessage", "GetThingShadow",
	"ListRetainedMessage", "ListSubscriptions", "NamedShadowCountForDynamicGroupQueryLimitExceeded", "Ping", "ProvisionDevice", "Publish-In", "Publish-Out",
	"Queued", "ReportFinalJobExecutionCount", "RetrieveOCSPStapleData", "RuleExecution", "RuleExecutionThrottled", "RuleMatch", "RuleNotFound",
	"SendDirectMessage", "StartNextPendingJobExecution", "StartingRuleExecution", "Subscribe", "Unsubscribe", "UpdateJobExecution", "UpdateThingShadow",
	OwnLogEvents + "ConnectionRefused",
}

// OwnLogEvents begins the types of events that AWS does not have.
const OwnLogEvents = "Gatehouse."

// LoggingOptions are the account's logging options of the second version. Source: logs sheet 1.
type LoggingOptions struct {
	RoleARN      string         `json:"roleArn"`
	DefaultLevel LogLevel       `json:"defaultLogLevel"`
	DisableAll   bool           `json:"disableAllLogs"`
	Events       []EventLogging `json:"eventConfigurations"`
}

// EventLogging is how one type of event is logged; what is empty is as for all types.
type EventLogging struct {
	EventType   string   `json:"eventType"`
	Level       LogLevel `json:"logLevel,omitempty"`
	Destination string   `json:"logDestination,omitempty"` // a log group
}

// A LoggingUpdate says what to change of the options; nil keeps what is.
type LoggingUpdate struct {
	RoleARN      *string
	DefaultLevel *LogLevel
	DisableAll   *bool
	Events       []EventLogging // not nil: replaces the list
}

// LegacyLogging are the options of the first version, which are kept for who reads them. Source: logs sheet 1.3.
type LegacyLogging struct {
	RoleARN string   `json:"roleArn"`
	Level   LogLevel `json:"logLevel"`
}

// Logging is all that decides about log entries.
type Logging struct {
	Configured bool           // Options were set
	Options    LoggingOptions // zero unless Configured
	Legacy     LegacyLogging  // zero unless set
	Levels     []TargetLevel  // of targets, in the order of their types and names; the temporary one of a target after the lasting one
}

// Settings that hold the options, as JSON.
const (
	loggingSetting       = "logging_options"
	legacyLoggingSetting = "legacy_logging_options"

	maxDestination = 512 // bytes of the name of a log group
)

var (
	roleForm        = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+$`)
	destinationForm = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]*$`)
)

// errNotConfigured is the answer until [Registry.SetLoggingOptions] succeeded once.
func errNotConfigured() *Error {
	return Errorf(NotConfigured, "Logging is not configured: SetV2LoggingOptions was never called.")
}

func checkRole(arn string) error {
	if !roleForm.MatchString(arn) {
		return Errorf(InvalidRequest, "roleArn %q is not the ARN of an IAM role.", arn)
	}
	return nil
}

// SetLoggingOptions changes the options. The first call must have a role and a default level.
// Refusals: InvalidRequest. Source: logs sheet 1.1.
func (r *Registry) SetLoggingOptions(ctx context.Context, u LoggingUpdate) error {
	return r.write(ctx, func(t *tx) error {
		var o LoggingOptions
		found, err := getJSON(ctx, t.Queries, loggingSetting, &o)
		if err != nil {
			return err
		}
		if !found && (u.RoleARN == nil || u.DefaultLevel == nil) {
			return Errorf(InvalidRequest, "The first call needs roleArn and defaultLogLevel.")
		}
		if u.RoleARN != nil {
			o.RoleARN = *u.RoleARN
		}
		if u.DefaultLevel != nil {
			o.DefaultLevel = *u.DefaultLevel
		}
		if u.DisableAll != nil {
			o.DisableAll = *u.DisableAll
		}
		if u.Events != nil {
			o.Events = u.Events
		}
		if err := o.check(); err != nil {
			return err
		}
		if u.DefaultLevel != nil { // who sets it means it from now on
			if _, err := t.DeleteTemporaryLogLevel(ctx, registrydb.DeleteTemporaryLogLevelParams{TargetType: string(LogTargetDefault)}); err != nil {
				return err
			}
		}
		t.changed(Change{Kind: LoggingChanged})
		return putJSON(ctx, t, loggingSetting, o)
	})
}

// TypeLevel is the level that a type of event has without levels of targets. Two types are only
// logged where a level of their own or of a target asks for them. Source: logs sheet 1.2.
func (o *LoggingOptions) TypeLevel(eventType string) LogLevel {
	for _, e := range o.Events {
		if e.EventType == eventType && e.Level != "" {
			return e.Level
		}
	}
	if eventType == "Ping" || eventType == "Connection.AuthNError" {
		return LogDisabled
	}
	return o.DefaultLevel
}

func (o *LoggingOptions) check() error {
	if err := checkRole(o.RoleARN); err != nil {
		return err
	}
	if !o.DefaultLevel.Valid() {
		return Errorf(InvalidRequest, "defaultLogLevel %q is not a log level.", o.DefaultLevel)
	}
	seen := map[string]bool{}
	for _, e := range o.Events {
		switch {
		case !slices.Contains(LogEventTypes, e.EventType):
			return Errorf(InvalidRequest, "There is no event type %q.", e.EventType)
		case seen[e.EventType]:
			return Errorf(InvalidRequest, "The event type %s is configured twice.", e.EventType)
		case e.Level != "" && !e.Level.Valid():
			return Errorf(InvalidRequest, "logLevel %q of %s is not a log level.", e.Level, e.EventType)
		case len(e.Destination) > maxDestination || !destinationForm.MatchString(e.Destination):
			return Errorf(InvalidRequest, "logDestination %q of %s is not the name of a log group.", e.Destination, e.EventType)
		}
		seen[e.EventType] = true
	}
	return nil
}

// LoggingOptions returns the options, with the default level that is in force. Refusals: NotConfigured.
func (r *Registry) LoggingOptions(ctx context.Context) (LoggingOptions, error) {
	l, err := r.Logging(ctx)
	if err == nil && !l.Configured {
		err = errNotConfigured()
	}
	for _, level := range l.Levels {
		if level.Target.Type == LogTargetDefault {
			l.Options.DefaultLevel = level.Level
		}
	}
	return l.Options, err
}

// SetLegacyLogging stores the options of the first version. Refusals: InvalidRequest.
func (r *Registry) SetLegacyLogging(ctx context.Context, o LegacyLogging) error {
	if err := checkRole(o.RoleARN); err != nil {
		return err
	}
	if !o.Level.Valid() {
		return Errorf(InvalidRequest, "logLevel %q is not a log level.", o.Level)
	}
	return r.write(ctx, func(t *tx) error {
		t.changed(Change{Kind: LoggingChanged})
		return putJSON(ctx, t, legacyLoggingSetting, o)
	})
}

// Logging returns all that decides about log entries. Temporary levels that have expired are left out.
func (r *Registry) Logging(ctx context.Context) (l Logging, err error) {
	now := time.Now()
	err = r.view(ctx, func(q *registrydb.Queries) error {
		if l.Configured, err = getJSON(ctx, q, loggingSetting, &l.Options); err != nil {
			return err
		}
		if _, err := getJSON(ctx, q, legacyLoggingSetting, &l.Legacy); err != nil {
			return err
		}
		rows, err := q.ListLogLevels(ctx)
		for _, row := range rows {
			if t := targetLevel(row); t.Expires.IsZero() || t.Expires.After(now) {
				l.Levels = append(l.Levels, t)
			}
		}
		return err
	})
	return l, err
}

func getJSON(ctx context.Context, q *registrydb.Queries, name string, to any) (found bool, err error) {
	text, err := q.GetSetting(ctx, name)
	if store.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, json.Unmarshal([]byte(text), to)
}

func putJSON(ctx context.Context, t *tx, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return t.PutSetting(ctx, registrydb.PutSettingParams{Name: name, Value: string(text)})
}
