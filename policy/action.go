package policy

import "strings"

// An Action is what a client asks to do, spelled as a policy spells it
// ("iot:Publish"). Any other string is an action too: it is matched by its text
// and decided without the tables that the listed actions have.
type Action string

// The actions that AWS IoT Core checks on its data plane.
// Source: policy sheet 4.
const (
	Connect              Action = "iot:Connect"
	Publish              Action = "iot:Publish"
	RetainPublish        Action = "iot:RetainPublish"
	Subscribe            Action = "iot:Subscribe"
	Receive              Action = "iot:Receive"
	GetRetainedMessage   Action = "iot:GetRetainedMessage"
	ListRetainedMessages Action = "iot:ListRetainedMessages"
	GetThingShadow       Action = "iot:GetThingShadow"
	UpdateThingShadow    Action = "iot:UpdateThingShadow"
	DeleteThingShadow    Action = "iot:DeleteThingShadow"
	ListNamedShadows     Action = "iot:ListNamedShadowsForThing"
	GetPendingJobs       Action = "iotjobsdata:GetPendingJobExecutions"
	StartNextPendingJob  Action = "iotjobsdata:StartNextPendingJobExecution"
	DescribeJobExecution Action = "iotjobsdata:DescribeJobExecution"
	UpdateJobExecution   Action = "iotjobsdata:UpdateJobExecution"
	DeleteConnection     Action = "iot:DeleteConnection"
	GetConnection        Action = "iot:GetConnection"
	ListSubscriptions    Action = "iot:ListSubscriptions"
	SendDirectMessage    Action = "iot:SendDirectMessage"
	AssumeRoleWithCert   Action = "iot:AssumeRoleWithCertificate"
)

const (
	numActions    = 20
	unknownAction = numActions // index of every action that is not listed
)

// Actions returns the actions that AWS IoT Core checks, in the order of the sheet.
func Actions() []Action {
	list := make([]Action, numActions)
	for i := range list {
		list[i] = actionTable[i].action
	}
	return list
}

var actionTable = [numActions]struct {
	action Action
	prefix string // of the resource part: its type and a slash
}{
	{Connect, "client/"},
	{Publish, "topic/"},
	{RetainPublish, "topic/"},
	{Subscribe, "topicfilter/"},
	{Receive, "topic/"},
	{GetRetainedMessage, "topic/"},
	{ListRetainedMessages, ""},
	{GetThingShadow, "thing/"},
	{UpdateThingShadow, "thing/"},
	{DeleteThingShadow, "thing/"},
	{ListNamedShadows, "thing/"},
	{GetPendingJobs, "thing/"},
	{StartNextPendingJob, "thing/"},
	{DescribeJobExecution, "thing/"},
	{UpdateJobExecution, "thing/"},
	{DeleteConnection, "client/"},
	{GetConnection, "client/"},
	{ListSubscriptions, "client/"},
	{SendDirectMessage, "client/"},
	{AssumeRoleWithCert, "rolealias/"},
}

// index returns the position of a in actionTable, or unknownAction. The switch
// compiles to comparisons by length first; a map would cost more than the decision.
func (a Action) index() int {
	switch a {
	case Publish:
		return 1
	case Receive:
		return 4
	case Subscribe:
		return 3
	case Connect:
		return 0
	case RetainPublish:
		return 2
	default:
		return a.rareIndex()
	}
}

func (a Action) rareIndex() int {
	for i := 5; i < numActions; i++ {
		if actionTable[i].action == a {
			return i
		}
	}
	return unknownAction
}

// canonical returns the documented spelling of a listed action, else a itself.
func canonical(a Action) Action {
	for i := range actionTable {
		if foldActions && strings.EqualFold(string(a), string(actionTable[i].action)) {
			return actionTable[i].action
		}
	}
	return a
}

// ResourceType returns the resource type that requests for a are checked
// against: "client", "topic", "topicfilter", "thing", "rolealias", or "" where
// there is none (ListRetainedMessages) or a is not a listed action.
func (a Action) ResourceType() string {
	if i := a.index(); i < numActions {
		return strings.TrimSuffix(actionTable[i].prefix, "/")
	}
	return ""
}

// An Effect is the outcome of a decision; the greatest one found wins. The zero
// Effect is the implicit deny: what nothing allows is refused.
type Effect uint8

// Effects in the order of their strength. Source: policy sheet 1.
const (
	ImplicitDeny Effect = iota
	Allow
	ExplicitDeny
)

// String returns the word that TestAuthorization uses: "IMPLICIT_DENY",
// "ALLOWED" or "EXPLICIT_DENY".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "ALLOWED"
	case ExplicitDeny:
		return "EXPLICIT_DENY"
	default:
		return "IMPLICIT_DENY"
	}
}
