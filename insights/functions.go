package insights

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

type call = func(rt *runtime, a []value) value

// onNumbers is null unless all arguments are numbers.
func onNumbers(f func(x []float64) float64) call {
	return func(_ *runtime, a []value) value {
		x := make([]float64, len(a))
		for i, v := range a {
			var ok bool
			if x[i], ok = v.number(); !ok {
				return value{}
			}
		}
		return numberOf(f(x))
	}
}

// onText is null unless all arguments have a text.
func onText(f func(s []string) value) call {
	return func(_ *runtime, a []value) value {
		s := make([]string, len(a))
		for i, v := range a {
			if !v.plain() {
				return value{}
			}
			s[i] = v.String()
		}
		return f(s)
	}
}

// onAddress is false for what is no IP address.
func onAddress(f func(ip netip.Addr) bool) call {
	return func(_ *runtime, a []value) value {
		ip, err := netip.ParseAddr(a[0].String())
		return boolOf(err == nil && a[0].plain() && f(ip))
	}
}

// inSubnet is false unless the address is in the network, and both are of the family.
func inSubnet(family func(netip.Addr) bool) call {
	return func(_ *runtime, a []value) value {
		ip, err := netip.ParseAddr(a[0].String())
		if err != nil {
			return boolOf(false)
		}
		network, err := netip.ParsePrefix(a[1].String())
		return boolOf(err == nil && family(ip) && network.Contains(ip.Unmap()))
	}
}

func anyFamily(netip.Addr) bool { return true }

// reserved4 are special-purpose networks beside the private ones. Source: RFC 6890.
var reservedNetworks = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4", "::/127", "fe80::/10", "2001:db8::/32", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

func isReserved(ip netip.Addr) bool {
	for _, n := range reservedNetworks {
		if n.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// trimmed cuts white space, or the characters of a second argument.
func trimmed(space func(string) string, set func(s, cutset string) string) call {
	return onText(func(s []string) value {
		if len(s) == 2 {
			return textOf(set(s[0], s[1]))
		}
		return textOf(space(s[0]))
	})
}

const whiteSpace = " \t\n\v\f\r\u0085\u00a0"

func parseTree(s string) value {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var t any
	if dec.Decode(&t) != nil {
		return value{}
	}
	if _, err := dec.Token(); err != io.EOF {
		return value{}
	}
	switch t.(type) {
	case map[string]any, []any:
		return value{kind: treeValue, tree: t}
	}
	return value{}
}

func listOf(v value) ([]any, bool) {
	if v.kind == textValue {
		v = parseTree(v.text)
	}
	list, ok := v.tree.([]any)
	return list, ok
}

// positional tells whether a field is nothing, for isempty and isblank.
func emptyIf(test func(string) bool) call {
	return func(_ *runtime, a []value) value {
		return boolOf(a[0].kind == null || a[0].plain() && test(a[0].String()))
	}
}

var (
	toNumber = onNumbers(func(x []float64) float64 { return x[0] })
	toWhole  = onNumbers(func(x []float64) float64 { return math.Trunc(x[0]) })
)

var functions map[string]function

func init() { // the table refers to functions that refer to it
	functions = map[string]function{
		"abs":       {1, 1, onNumbers(func(x []float64) float64 { return math.Abs(x[0]) })},
		"ceil":      {1, 1, onNumbers(func(x []float64) float64 { return math.Ceil(x[0]) })},
		"floor":     {1, 1, onNumbers(func(x []float64) float64 { return math.Floor(x[0]) })},
		"log":       {1, 1, onNumbers(func(x []float64) float64 { return math.Log(x[0]) })},
		"sqrt":      {1, 1, onNumbers(func(x []float64) float64 { return math.Sqrt(x[0]) })},
		"greatest":  {1, -1, extreme(1)},
		"least":     {1, -1, extreme(-1)},
		"round":     {1, 2, onNumbers(round)},
		"tonumber":  {1, 1, toNumber},
		"todouble":  {1, 1, toNumber},
		"toint":     {1, 1, toWhole},
		"tolong":    {1, 1, toWhole},
		"haversine": {4, 4, onNumbers(haversine)},

		"strlen":       {1, 1, onText(func(s []string) value { return numberOf(float64(utf8.RuneCountInString(s[0]))) })},
		"toupper":      {1, 1, onText(func(s []string) value { return textOf(strings.ToUpper(s[0])) })},
		"tolower":      {1, 1, onText(func(s []string) value { return textOf(strings.ToLower(s[0])) })},
		"substr":       {2, 3, substr},
		"replace":      {3, 3, onText(func(s []string) value { return textOf(strings.ReplaceAll(s[0], s[1], s[2])) })},
		"concat":       {1, -1, onText(func(s []string) value { return textOf(strings.Join(s, "")) })},
		"trim":         {1, 2, trimmed(func(s string) string { return strings.Trim(s, whiteSpace) }, strings.Trim)},
		"ltrim":        {1, 2, trimmed(func(s string) string { return strings.TrimLeft(s, whiteSpace) }, strings.TrimLeft)},
		"rtrim":        {1, 2, trimmed(func(s string) string { return strings.TrimRight(s, whiteSpace) }, strings.TrimRight)},
		"strcontains":  {2, 3, strcontains},
		"startswith":   {2, 2, onText(func(s []string) value { return boolOf(strings.HasPrefix(s[0], s[1])) })},
		"endswith":     {2, 2, onText(func(s []string) value { return boolOf(strings.HasSuffix(s[0], s[1])) })},
		"regexreplace": {3, 3, nil},
		"split":        {2, 2, onText(split)},
		"urlencode":    {1, 1, onText(func(s []string) value { return textOf(strings.ReplaceAll(url.QueryEscape(s[0]), "+", "%20")) })},
		"urldecode":    {1, 1, onText(func(s []string) value { return decoded(url.QueryUnescape(s[0])) })},
		"base64encode": {1, 1, onText(func(s []string) value { return textOf(base64.StdEncoding.EncodeToString([]byte(s[0]))) })},
		"base64decode": {1, 1, onText(func(s []string) value {
			b, err := base64.StdEncoding.DecodeString(s[0])
			return decoded(string(b), err)
		})},
		"hextoascii": {1, 1, onText(func(s []string) value {
			b, err := hex.DecodeString(strings.TrimPrefix(s[0], "0x"))
			return decoded(string(b), err)
		})},
		"hextodec": {1, 1, onText(func(s []string) value {
			n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s[0]), "0x"), 16, 53)
			if err != nil {
				return value{}
			}
			return numberOf(float64(n))
		})},
		"dectohex": {1, 1, func(_ *runtime, a []value) value {
			f, ok := a[0].number()
			if !ok || f < 0 || f != math.Trunc(f) || f > 1<<53 {
				return value{}
			}
			return textOf("0x" + strconv.FormatUint(uint64(f), 16))
		}},
		"md5":     {1, 1, onText(func(s []string) value { sum := md5.Sum([]byte(s[0])); return textOf(hex.EncodeToString(sum[:])) })},
		"sha256":  {1, 1, onText(func(s []string) value { sum := sha256.Sum256([]byte(s[0])); return textOf(hex.EncodeToString(sum[:])) })},
		"isempty": {1, 1, emptyIf(func(s string) bool { return s == "" })},
		"isblank": {1, 1, emptyIf(func(s string) bool { return strings.Trim(s, whiteSpace) == "" })},

		"ispresent": {1, 1, func(_ *runtime, a []value) value { return boolOf(a[0].kind != null) }},
		"coalesce": {1, -1, func(_ *runtime, a []value) value {
			for _, v := range a {
				if v.kind != null {
					return v
				}
			}
			return value{}
		}},
		"if": {3, 3, func(_ *runtime, a []value) value {
			if a[0].isTrue() {
				return a[1]
			}
			return a[2]
		}},
		"case": {2, 21, func(_ *runtime, a []value) value {
			for ; len(a) > 1; a = a[2:] {
				if a[0].isTrue() {
					return a[1]
				}
			}
			if len(a) == 1 {
				return a[0]
			}
			return value{}
		}},
		"isnumeric":      {1, 1, func(_ *runtime, a []value) value { _, ok := a[0].number(); return boolOf(ok) }},
		"messagesize":    {1, 1, onText(func(s []string) value { return numberOf(float64(len(s[0]))) })},
		"querystarttime": {0, 0, func(rt *runtime, _ []value) value { return numberOf(rt.start) }},
		"queryendtime":   {0, 0, func(rt *runtime, _ []value) value { return numberOf(rt.end) }},
		"querytimerange": {0, 0, func(rt *runtime, _ []value) value { return numberOf(rt.end - rt.start) }},

		"bin":       {1, 1, nil},
		"datefloor": {2, 2, nil},
		"dateceil":  {2, 2, nil},
		"frommillis": {1, 1, func(_ *runtime, a []value) value {
			f, ok := a[0].number()
			if !ok || math.Abs(f) > 1e15 {
				return value{}
			}
			return timeOf(math.Trunc(f))
		}},
		"tomillis":   {1, 1, toNumber},
		"parsedate":  {2, 3, nil},
		"formatdate": {2, 3, nil},
		"strftime":   {2, 3, nil},
		"now":        {0, 0, func(rt *runtime, _ []value) value { return numberOf(math.Floor(rt.now / 1000)) }},

		"isvalidip":      {1, 1, onAddress(anyFamily)},
		"isvalidipv4":    {1, 1, onAddress(netip.Addr.Is4)},
		"isvalidipv6":    {1, 1, onAddress(netip.Addr.Is6)},
		"isipinsubnet":   {2, 2, inSubnet(anyFamily)},
		"isipv4insubnet": {2, 2, inSubnet(netip.Addr.Is4)},
		"isipv6insubnet": {2, 2, inSubnet(netip.Addr.Is6)},
		"isprivateip":    {1, 1, onAddress(func(ip netip.Addr) bool { return ip.Unmap().IsPrivate() })},
		"isreservedip":   {1, 1, onAddress(isReserved)},
		"ispublicip":     {1, 1, onAddress(func(ip netip.Addr) bool { return !isReserved(ip) && !ip.Unmap().IsPrivate() })},
		"ipv4tonumber": {1, 1, onText(func(s []string) value {
			ip, err := netip.ParseAddr(s[0])
			if err != nil || !ip.Is4() {
				return value{}
			}
			b := ip.As4()
			return numberOf(float64(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])))
		})},

		"jsonparse": {1, 1, onText(func(s []string) value { return parseTree(s[0]) })},
		"jsonstringify": {1, 1, func(_ *runtime, a []value) value {
			if a[0].kind == null {
				return value{}
			}
			return textOf(a[0].String())
		}},
		"jsonarraysize": {1, 1, func(_ *runtime, a []value) value {
			if list, ok := listOf(a[0]); ok {
				return numberOf(float64(len(list)))
			}
			return value{}
		}},
		"jsonarraycontains": {2, 2, func(_ *runtime, a []value) value {
			list, ok := listOf(a[0])
			if !ok {
				return value{}
			}
			for _, x := range list {
				if order, ok := compare(ofTree(x), a[1]); ok && order == 0 {
					return boolOf(true)
				}
			}
			return boolOf(false)
		}},
	}
}

func decoded(s string, err error) value {
	if err != nil || !utf8.ValidString(s) {
		return value{}
	}
	return textOf(s)
}

// extreme is greatest (1) or least (-1) of those that are numbers.
func extreme(sign float64) call {
	return onNumbers(func(x []float64) float64 {
		best := x[0]
		for _, f := range x {
			if f*sign > best*sign {
				best = f
			}
		}
		return best
	})
}

func round(x []float64) float64 {
	if len(x) == 1 {
		return math.Round(x[0])
	}
	scale := math.Pow(10, math.Trunc(x[1]))
	return math.Round(x[0]*scale) / scale
}

// haversine is the distance of two places in km, on a sphere of the earth's mean radius.
func haversine(x []float64) float64 {
	rad := math.Pi / 180
	dLat, dLon := (x[2]-x[0])*rad, (x[3]-x[1])*rad
	a := math.Pow(math.Sin(dLat/2), 2) + math.Cos(x[0]*rad)*math.Cos(x[2]*rad)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * 6371.0088 * math.Asin(math.Sqrt(min(1, a)))
}

func substr(_ *runtime, a []value) value {
	if !a[0].plain() {
		return value{}
	}
	runes := []rune(a[0].String())
	from, ok := a[1].number()
	if !ok {
		return value{}
	}
	start := int(max(0, min(from, float64(len(runes)))))
	end := len(runes)
	if len(a) == 3 {
		n, ok := a[2].number()
		if !ok {
			return value{}
		}
		end = start + int(max(0, min(n, float64(len(runes)-start))))
	}
	return textOf(string(runes[start:end]))
}

func strcontains(_ *runtime, a []value) value {
	if !a[0].plain() || !a[1].plain() {
		return value{}
	}
	s, sub := a[0].String(), a[1].String()
	if len(a) == 3 && (a[2].isTrue() || strings.EqualFold(a[2].String(), "true")) {
		s, sub = strings.ToLower(s), strings.ToLower(sub)
	}
	return boolOf(strings.Contains(s, sub))
}

func split(s []string) value {
	var list []any
	for part := range strings.SplitSeq(s[0], s[1]) {
		list = append(list, part)
	}
	return value{kind: treeValue, tree: list}
}
