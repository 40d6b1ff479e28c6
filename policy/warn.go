package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// warn gathers the doubts about one document alone.
func (p *parser) warn() {
	d := p.doc
	sids := map[string]int{}
	for i := range d.Statements {
		s := &d.Statements[i]
		if first, ok := sids[s.Sid]; ok && s.Sid != "" {
			d.note(i, s.Pos, "policy.lint.duplicate_sid", Warning, "give every statement its own Sid",
				"the Sid %q is also that of statement %d", s.Sid, first+1)
		} else {
			sids[s.Sid] = i
		}
		for k, action := range s.Actions {
			d.warnAction(i, s.actionPos[k], action)
		}
		for k := range s.resources {
			d.warnResource(i, k)
		}
		d.warnTypes(i)
		for k := range s.Conditions {
			d.warnCondition(i, &s.Conditions[k])
		}
	}
	d.warnVersion()
}

func (d *Document) note(statement int, pos Position, code string, severity Severity, fix, format string, args ...any) {
	f := Finding{Code: code, Severity: severity, Statement: statement, Pos: pos, Message: fmt.Sprintf(format, args...), Fix: fix}
	if statement >= 0 {
		f.Sid = d.Statements[statement].Sid
	}
	d.warnings = append(d.warnings, f)
}

func (d *Document) warnVersion() {
	if d.Version == version2012 {
		return
	}
	for i := range d.Statements {
		s := &d.Statements[i]
		for k, text := range s.Resources {
			if !d.Variables() && strings.Contains(text, "${") {
				d.note(i, s.resourcePos[k], "policy.lint.version", Problem, `set "Version" to "2012-10-17"`,
					"${...} is plain text here: policy variables need Version 2012-10-17")
				return
			}
		}
	}
	d.note(-1, Position{Line: 1, Column: 1}, "policy.lint.version", Info, `set "Version" to "2012-10-17"`, "AWS IoT Core documents Version 2012-10-17 alone")
}

func (d *Document) warnAction(statement int, pos Position, action string) {
	if action == "*" {
		return
	}
	service, operation, ok := strings.Cut(action, ":")
	if !ok || strings.ContainsAny(service, "*?") {
		d.note(statement, pos, "policy.lint.action_form", Problem, "write service:Operation, for example iot:Publish",
			"the action %q never matches: an action is service:Operation, with wildcards in the operation alone", action)
		return
	}
	if strings.ContainsAny(operation, "*?") {
		if actionMask([]string{action}, false) == 0 {
			d.note(statement, pos, "policy.lint.action_unknown", Info, "remove it, unless the document is for IAM too", "the action %q covers nothing that AWS IoT Core checks for devices", action)
		}
		return
	}
	for _, known := range Actions() {
		if action == string(known) {
			return
		}
		if strings.EqualFold(action, string(known)) {
			d.note(statement, pos, "policy.lint.action_case", Warning, "write "+string(known), "the action %q is documented as %q", action, known)
			return
		}
		if strings.EqualFold(service, "iot") && strings.EqualFold("iotjobsdata:"+operation, string(known)) {
			d.note(statement, pos, "policy.lint.prefix_old_jobs", Warning, "write "+string(known), "the action %q is the former name of %q, and no longer grants it", action, known)
			return
		}
	}
	d.note(statement, pos, "policy.lint.action_unknown", Info, "remove it, or correct its spelling", "the action %q is nothing that AWS IoT Core checks for devices", action)
}

var (
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)

func (d *Document) warnResource(statement, index int) {
	s := &d.Statements[statement]
	p, text, pos := &s.resources[index], s.Resources[index], s.resourcePos[index]
	if p.any {
		return
	}
	if p.short {
		d.note(statement, pos, "policy.lint.short_arn", Warning, "write all six parts of the ARN", "the ARN %q has fewer than six parts; its last star stands for the rest here, AWS does not say what it does", text)
	}
	part := func(i int) string { return textOf(p.head[i].prefix + p.head[i].rest) }
	if service := part(2); service != "iot" {
		d.note(statement, pos, "policy.lint.resource_service", Warning, "write iot as third part of the ARN", "the ARN is one of service %q, which no request of a device names", service)
	}
	if region := part(3); !strings.ContainsAny(region, "*?") && !regionForm.MatchString(region) {
		d.note(statement, pos, "policy.lint.arn_region", Problem, "write the Region, for example us-east-1", "%q is no Region: the ARN never matches", region)
	}
	if account := part(4); !strings.ContainsAny(account, "*?") && !accountForm.MatchString(account) {
		d.note(statement, pos, "policy.lint.arn_account", Problem, "write the twelve digits of the account", "%q is no account: the ARN never matches", account)
	}
	for i := range p.tokens {
		t := &p.tokens[i]
		if t.kind != tokVariable {
			continue
		}
		switch t.key.kind {
		case keyUnknown:
			d.note(statement, pos, "policy.lint.variable_unknown", Problem, "correct the name", "there is no variable %s: this resource never matches", t.text)
		case keyLegacyThing:
			d.note(statement, pos, "policy.lint.variable_unknown", Problem, "write ${iot:Connection.Thing.ThingName}", "there is no variable %s any more: this resource never matches", t.text)
		default:
			if t.key.multi() {
				d.note(statement, pos, "policy.lint.variable_multi", Problem, "use the key in a condition", "%s has several values and can't stand in a resource: it never matches", t.text)
			} else if s.Effect == ExplicitDeny && !t.hasDf && !s.NotResource {
				d.note(statement, pos, "policy.lint.deny_variable", Warning, "write the Deny without the variable", "this Deny does not apply to a connection for which %s has no value", t.text)
			}
		}
	}
	d.warnWildcards(statement, p, pos)
}

// warnWildcards finds MQTT wildcards that mean nothing here. Source: policy sheet 6.3.
func (d *Document) warnWildcards(statement int, p *pattern, pos Position) {
	s := &d.Statements[statement]
	kind, name, _ := strings.Cut(textOf(starred(p)), "/")
	if !slices.ContainsFunc(strings.Split(name, "/"), func(level string) bool { return level == "+" || level == "#" }) {
		return
	}
	switch {
	case kind == "topic":
		d.note(statement, pos, "policy.lint.mqtt_wildcard", Problem, "write * in place of + and #", "+ and # are plain characters in a policy, and no topic contains them: this resource never matches")
	case kind == "topicfilter" && s.Effect == ExplicitDeny:
		d.note(statement, pos, "policy.lint.mqtt_wildcard_in_deny", Problem, "deny iot:Receive on the topics, with * as wildcard",
			"+ and # are plain characters in a policy: this denies that one filter, not the topics that it delivers")
	}
}

// starred returns the glob of p with a star in place of every variable.
func starred(p *pattern) string {
	var b strings.Builder
	for i := range p.tokens {
		switch t := &p.tokens[i]; t.kind {
		case tokLiteral:
			b.WriteString(t.text)
		case tokQuestion:
			b.WriteByte(question)
		default:
			b.WriteByte(star)
		}
	}
	return b.String()
}

// warnTypes finds resources that none of the statement's actions is checked
// against, and named actions that have no resource of their type.
func (d *Document) warnTypes(statement int) {
	s := &d.Statements[statement]
	if s.NotAction || s.NotResource || s.mask == 0 {
		return
	}
	covered := uint32(0)
	for k := range s.resources {
		var of uint32
		for i := range actionTable {
			p := &s.resources[k]
			if p.any || actionTable[i].prefix != "" && len(appendResiduals(nil, starred(p), actionTable[i].prefix)) > 0 {
				of |= 1 << i
			}
		}
		if of&s.mask == 0 && starred(&s.resources[k]) != "" {
			d.note(statement, s.resourcePos[k], "policy.lint.resource_type", Problem, "write "+s.wantedTypes(), "no action of this statement is checked against a resource like %s", s.Resources[k])
		}
		covered |= of
	}
	if covered&s.mask == 0 {
		return // said above
	}
	for k, text := range s.Actions {
		for i := range actionTable {
			if strings.EqualFold(text, string(actionTable[i].action)) && covered&(1<<i) == 0 {
				d.note(statement, s.actionPos[k], "policy.lint.resource_type", Problem, "add "+typeFix(actionTable[i].action),
					"%s has no effect: the statement names no resource that it is checked against", text)
			}
		}
	}
}

func typeFix(a Action) string {
	if a == ListRetainedMessages {
		return `a statement with Resource "*"`
	}
	return "a resource " + a.ResourceType() + "/..."
}

// wantedTypes lists the resource types of the statement's actions.
func (s *Statement) wantedTypes() string {
	var types []string
	for i := range actionTable {
		if t := actionTable[i].prefix; s.mask&(1<<i) != 0 && t != "" && !slices.Contains(types, t+"...") {
			types = append(types, t+"...")
		}
	}
	return strings.Join(types, " or ")
}

func (d *Document) warnCondition(statement int, c *Condition) {
	switch {
	case c.key.kind == keyUnknown || c.key.kind == keyLegacyThing:
		d.note(statement, c.Pos, "policy.lint.condition_key_unknown", Warning, "correct the key", "%s is no condition key of AWS IoT Core: it never has a value", c.Key)
	case c.key.multi() && c.op.set == plainMode && c.op.family != familyNull:
		d.note(statement, c.Pos, "policy.lint.multi_valued_key", Warning, "write ForAllValues:"+c.Operator+" or ForAnyValue:"+c.Operator, "%s has several values; what %s does with them is not defined", c.Key, c.Operator)
	case len(c.Values) == 0 && c.op.set == plainMode:
		d.note(statement, c.Pos, "policy.lint.condition_empty", Warning, "name a value", "the condition has no values to compare with")
	}
	for i, v := range c.Values {
		if c.values[i].vars {
			continue
		}
		valid, want := true, ""
		switch c.op.family {
		case familyNumeric:
			_, valid = parseNumber(v)
			want = "a number"
		case familyDate:
			_, valid = parseDate(v)
			want = "a date like 2026-01-31T12:00:00Z or seconds since 1970"
		case familyBool, familyNull:
			valid, want = isBool(v), "true or false"
		case familyIP:
			valid, want = validNetwork(v), "an address or a network like 192.0.2.0/24"
		case familyARN:
			valid, want = !c.values[i].never, "an ARN with six parts"
		default: // any text is a value
		}
		if !valid {
			d.note(statement, c.Pos, "policy.lint.condition_value", Problem, "write "+want, "%q never matches: %s compares with %s", v, c.Operator, want)
		}
	}
}
