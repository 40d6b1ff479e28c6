package insights

import (
	"slices"
	"strings"
)

// A row is one event on its way through the pipeline.
type row struct {
	id rowID
	v  []value // by slot
	rt *runtime
}

// rowID orders events by time and arrival.
type rowID struct {
	time int64
	part int32
	row  int32
}

func (a rowID) after(b rowID) bool {
	if a.time != b.time {
		return a.time > b.time
	}
	if a.part != b.part {
		return a.part > b.part
	}
	return a.row > b.row
}

// runtime is what a run knows.
type runtime struct {
	now, start, end float64 // epoch ms
}

// eval computes an expression.
type eval func(r *row) value

// step changes a row, or drops it by answering false; many, in place of run,
// gives any number of rows.
type step struct {
	run   func(r *row) bool
	many  func(r *row, emit func(*row))
	drops bool
}

// node is a step, or a barrier that needs all rows.
type node struct {
	step  *step
	sort  []compiledKey
	limit int
	dedup []int // slots
	stats *aggregation
	all   func(rows []*row) []*row // any other
}

type compiledKey struct {
	eval eval
	desc bool
	time bool // it is the event's time
}

// column is a column of the result.
type column struct {
	name string
	slot int
}

// plan is a compiled query.
type plan struct {
	base    []baseField // of the events
	width   int         // slots of the rows that come from events
	filters []*conjunct // evaluated on columns, before there are rows
	nodes   []node
	output  []column
	pointer bool // rows have @ptr
	limited bool // the query has a limit
	hints   Hints
}

// baseField is a field of the events that the query reads.
type baseField struct {
	name string
	slot int
}

// conjunct is a condition on fields of the events alone.
type conjunct struct {
	eval  eval
	slots []int
	equal *Equal // all that it says, of a field of the message and one text that is no number
}

// compiler turns commands into nodes. Each definition gets a slot of its own:
// the newest wins for a name, and those before it keep what they are.
type compiler struct {
	p      *parser
	plan   *plan
	names  map[string]int // of what the query defined
	base   map[string]int
	closed bool // after stats: only what it made exists
	used   map[int]bool
	width  int
	shown  []column
	chosen bool // by fields or display
	bins   *period
	stats  int
	dedups bool
	last   *aggregation // the stats whose rows come now
}

// compile checks names and order of the commands and makes the plan.
func compile(p *parser, q *Query) (*plan, error) {
	c := &compiler{p: p, plan: &plan{pointer: true}, names: map[string]int{}, base: map[string]int{}}
	last := -1
	for i, cmd := range q.commands {
		if cmd.name == "stats" || cmd.name == "countfrequent" || cmd.name == "pattern" {
			last = i
		}
	}
	for i, cmd := range q.commands {
		if i < last && (cmd.name == "sort" || cmd.name == "limit" || cmd.name == "dedup") {
			return nil, p.fail(cmd.start, cmd.end, "%s stands before the last stats", cmd.name)
		}
		if c.dedups && cmd.name != "limit" {
			return nil, p.fail(cmd.start, cmd.end, "only limit may follow dedup, not %s", cmd.name)
		}
		if err := c.command(cmd); err != nil {
			return nil, err
		}
	}
	if !c.chosen && !c.closed {
		for _, name := range []string{"@timestamp", "@message"} {
			c.shown = append(c.shown, column{name, c.slotOf(name)})
		}
	}
	c.plan.output = c.shown
	c.settle()
	for name, slot := range c.base {
		c.plan.base = append(c.plan.base, baseField{name, slot})
	}
	slices.SortFunc(c.plan.base, func(a, b baseField) int { return a.slot - b.slot })
	return c.plan, nil
}

// settle notes how many slots the rows of the stage that ends have.
func (c *compiler) settle() {
	if c.last != nil {
		c.last.slots = c.width
	} else {
		c.plan.width = c.width
	}
}

// slotOf returns the slot of a field of the events.
func (c *compiler) slotOf(name string) int {
	slot, ok := c.base[name]
	if !ok {
		slot = c.newSlot()
		c.base[name] = slot
	}
	return slot
}

func (c *compiler) newSlot() int {
	c.width++
	return c.width - 1
}

// define gives a name to a new slot.
func (c *compiler) define(name string) int {
	slot := c.newSlot()
	c.names[name] = slot
	return slot
}

// rowwise adds a step. A sort before it may as well come after it: what it
// defines has slots of its own.
func (c *compiler) rowwise(s *step) {
	at := len(c.plan.nodes)
	for at > 0 && c.plan.nodes[at-1].sort != nil {
		at--
	}
	c.plan.nodes = slices.Insert(c.plan.nodes, at, node{step: s})
}

func (c *compiler) barrier(n node) { c.plan.nodes = append(c.plan.nodes, n) }

// onlySteps reports whether there was no barrier but sort so far.
func (c *compiler) onlySteps() bool {
	return !slices.ContainsFunc(c.plan.nodes, func(n node) bool { return n.step == nil && n.sort == nil })
}

func (c *compiler) command(cmd *command) error {
	switch cmd.name {
	case "fields", "display":
		if cmd.name == "display" {
			c.shown = nil
		} else if c.closed && !c.chosen { // what stats made stays visible
			c.chosen = true
		}
		c.chosen = true
		return c.fields(cmd)
	case "filter":
		return c.filter(cmd.filter)
	case "stats":
		return c.aggregate(cmd)
	case "countfrequent":
		return c.frequencies(cmd, cmd.items, "_approxcount")
	case "sort":
		return c.sort(cmd)
	case "limit":
		c.plan.limited = true
		c.barrier(node{limit: cmd.limit})
	case "dedup":
		return c.dedup(cmd)
	case "parse":
		return c.parse(cmd)
	case "unnest", "expand":
		return c.unnest(cmd)
	case "accum":
		return c.accum(cmd)
	case "fillmissing":
		return c.fillMissing(cmd)
	case "filldown":
		return c.fillDown(cmd)
	case "pattern":
		return c.pattern(cmd)
	case "unmask": // nothing is masked here
		for _, it := range cmd.items {
			if _, err := c.expr(it.expr); err != nil {
				return err
			}
		}
	}
	return nil
}

// show adds a column to the result; one of the same name gives way.
func (c *compiler) show(name string, slot int) {
	for i := range c.shown {
		if c.shown[i].name == name {
			c.shown[i].slot = slot
			return
		}
	}
	c.shown = append(c.shown, column{name, slot})
}

func (c *compiler) fields(cmd *command) error {
	for _, it := range cmd.items {
		if it.expr.op == opField && !it.as {
			if slot, ok := c.direct(it.expr.name); ok {
				c.show(it.name, slot)
				continue
			}
		}
		e, err := c.expr(it.expr)
		if err != nil {
			return err
		}
		var slot int
		if it.as {
			slot = c.define(it.name)
		} else {
			slot = c.newSlot()
		}
		c.show(it.name, slot)
		c.rowwise(&step{run: func(r *row) bool { r.v[slot] = e(r); return true }})
	}
	return nil
}

// direct returns the slot of a name that needs no computing.
func (c *compiler) direct(name string) (int, bool) {
	if slot, ok := c.names[name]; ok {
		return slot, true
	}
	if c.closed || c.prefixed(name) {
		return 0, false
	}
	return c.slotOf(name), true
}

// prefixed reports whether a part before a dot of the name is defined by the query.
func (c *compiler) prefixed(name string) bool {
	for i := range len(name) {
		if _, ok := c.names[name[:i]]; ok && name[i] == '.' {
			return true
		}
	}
	return false
}

// filter adds a condition. Those of its conjuncts that need only fields of the
// events are evaluated first, column by column.
func (c *compiler) filter(e *expr) error {
	if e.op == opAnd {
		for _, arg := range e.args {
			if err := c.filter(arg); err != nil {
				return err
			}
		}
		return nil
	}
	c.used = map[int]bool{}
	cond, err := c.expr(e)
	used := c.used
	c.used = nil
	if err != nil {
		return err
	}
	early := !c.closed && c.onlySteps()
	var slots []int
	for slot := range used {
		slots = append(slots, slot)
		early = early && c.isBase(slot)
	}
	if early {
		slices.Sort(slots)
		c.plan.filters = append(c.plan.filters, &conjunct{cond, slots, equality(e)})
		c.hint(e)
		return nil
	}
	c.rowwise(&step{run: func(r *row) bool { return cond(r).isTrue() }, drops: true})
	return nil
}

// equality returns what the condition e says if that is field = "text".
func equality(e *expr) *Equal {
	if e.op != opEqual || e.args[0].op != opField || e.args[1].op != opLiteral || strings.HasPrefix(e.args[0].name, "@") {
		return nil
	}
	v := e.args[1].literal
	if _, isNumber := v.number(); isNumber || v.kind != textValue {
		return nil
	}
	return &Equal{e.args[0].name, []string{v.text}}
}

func (c *compiler) isBase(slot int) bool {
	for _, s := range c.base {
		if s == slot {
			return true
		}
	}
	return false
}

// hint tells the source what the condition e needs.
func (c *compiler) hint(e *expr) {
	if len(e.args) == 0 || e.args[0].op != opField {
		return
	}
	field := e.args[0].name
	h := &c.plan.hints
	switch e.op {
	case opEqual:
		if e.args[1].op == opLiteral {
			h.Equal = append(h.Equal, Equal{field, []string{exact(e.args[1].literal)}})
		}
	case opIn:
		if !e.negated {
			var values []string
			for _, v := range e.list {
				values = append(values, exact(v))
			}
			h.Equal = append(h.Equal, Equal{field, values})
		}
	case opCall:
		if e.name == "ispresent" {
			h.Present = append(h.Present, field)
		}
		return
	case opUnequal, opLess, opLessEqual, opGreater, opGreaterEqual, opMatch, opContains:
	default:
		return
	}
	h.Present = append(h.Present, field)
}

func (c *compiler) sort(cmd *command) error {
	n := node{}
	for _, k := range cmd.keys {
		e, err := c.expr(k.expr)
		if err != nil {
			return err
		}
		slot, direct := c.direct(k.expr.name)
		n.sort = append(n.sort, compiledKey{e, k.desc, k.expr.op == opField && k.expr.name == "@timestamp" && direct && c.isBase(slot) && !c.closed})
	}
	c.barrier(n)
	return nil
}

// fieldSlots computes fields into slots.
func (c *compiler) fieldSlots(items []item) ([]int, error) {
	var slots []int
	for _, it := range items {
		if slot, ok := c.direct(it.name); ok {
			slots = append(slots, slot)
			continue
		}
		e, err := c.expr(it.expr)
		if err != nil {
			return nil, err
		}
		slot := c.newSlot()
		c.rowwise(&step{run: func(r *row) bool { r.v[slot] = e(r); return true }})
		slots = append(slots, slot)
	}
	return slots, nil
}

func (c *compiler) dedup(cmd *command) error {
	slots, err := c.fieldSlots(cmd.items)
	if err != nil {
		return err
	}
	c.dedups = true
	c.barrier(node{dedup: slots})
	return nil
}

// parse defines the fields that a pattern captures.
func (c *compiler) parse(cmd *command) error {
	source := cmd.source
	if source == nil {
		source = &expr{op: opField, name: "@message", start: cmd.start, end: cmd.end}
	}
	from, err := c.expr(source)
	if err != nil {
		return err
	}
	slots := make([]int, len(cmd.into))
	for i, name := range cmd.into {
		slots[i] = c.define(name)
	}
	if cmd.regex != nil {
		var groups []int
		for i, name := range cmd.regex.SubexpNames() {
			if name != "" {
				groups = append(groups, i)
			}
		}
		c.rowwise(&step{run: func(r *row) bool {
			v := from(r)
			if v.kind == null || v.kind == treeValue {
				return true
			}
			if m := cmd.regex.FindStringSubmatch(v.String()); m != nil {
				for i, g := range groups {
					r.v[slots[i]] = textOf(m[g])
				}
			}
			return true
		}})
		return nil
	}
	c.rowwise(&step{run: func(r *row) bool {
		v := from(r)
		if v.kind == null || v.kind == treeValue {
			return true
		}
		for i, s := range globMatch(cmd.glob, v.String()) {
			r.v[slots[i]] = textOf(s)
		}
		return true
	}})
	return nil
}

// globMatch returns what the stars between the literals capture, the shortest
// text each, the last one the rest; nil if the text does not match.
func globMatch(literals []string, s string) []string {
	at := strings.Index(s, literals[0])
	if at < 0 {
		return nil
	}
	s = s[at+len(literals[0]):]
	var out []string
	for i, lit := range literals[1:] {
		end := len(s)
		if lit != "" || i+2 < len(literals) {
			if end = strings.Index(s, lit); end < 0 {
				return nil
			}
		}
		out = append(out, s[:end])
		s = s[end+len(lit):]
	}
	return out
}

// unnest makes a row of each element of a list. expand also takes a text that
// holds a JSON list.
func (c *compiler) unnest(cmd *command) error {
	from, err := c.expr(cmd.source)
	if err != nil {
		return err
	}
	name := cmd.into[0]
	slot := c.define(name)
	if cmd.name == "expand" {
		c.show(name, slot)
	}
	c.rowwise(&step{drops: true, many: func(r *row, emit func(*row)) {
		v := from(r)
		if cmd.name == "expand" && v.kind == textValue {
			if t := parseTree(v.text); t.kind == treeValue {
				v = t
			}
		}
		list, ok := v.tree.([]any)
		if !ok {
			r.v[slot] = v
			emit(r)
			return
		}
		for _, element := range list {
			clone := &row{r.id, slices.Clone(r.v), r.rt}
			clone.v[slot] = ofTree(element)
			emit(clone)
		}
	}})
	return nil
}
