package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// model is one service description in the layout of botocore's service-2.json,
// with the paginators added under the key "pagination".
type model struct {
	Metadata struct {
		APIVersion      string `json:"apiVersion"`
		Protocol        string `json:"protocol"`
		JSONVersion     string `json:"jsonVersion"`
		ServiceFullName string `json:"serviceFullName"`
		ServiceID       string `json:"serviceId"`
		XMLNamespace    string `json:"xmlNamespace"`
	} `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
	Pagination map[string]*paginator `json:"pagination"`
}

type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input *struct {
		Shape string `json:"shape"`
	} `json:"input"`
	Output *struct {
		Shape         string `json:"shape"`
		ResultWrapper string `json:"resultWrapper"`
	} `json:"output"`
	Errors []struct {
		Shape string `json:"shape"`
	} `json:"errors"`
	Deprecated bool `json:"deprecated"`
}

type shape struct {
	Type      string             `json:"type"`
	Members   map[string]*member `json:"members"`
	Required  []string           `json:"required"`
	Payload   string             `json:"payload"`
	Member    *member            `json:"member"`
	Key       *member            `json:"key"`
	Value     *member            `json:"value"`
	Enum      []string           `json:"enum"`
	Min       *float64           `json:"min"`
	Max       *float64           `json:"max"`
	Pattern   string             `json:"pattern"`
	Sensitive bool               `json:"sensitive"`
	Exception bool               `json:"exception"`
	Fault     bool               `json:"fault"`
	Error     struct {
		HTTPStatusCode int    `json:"httpStatusCode"`
		Code           string `json:"code"`
	} `json:"error"`
	Streaming   bool `json:"streaming"`
	EventStream bool `json:"eventstream"`
}

type member struct {
	Shape        string `json:"shape"`
	Location     string `json:"location"`
	LocationName string `json:"locationName"`
	JSONValue    bool   `json:"jsonvalue"`
	Deprecated   bool   `json:"deprecated"`
}

// paginator keys hold a string or a list of strings, depending on the operation.
type paginator struct {
	InputToken  names  `json:"input_token"`
	OutputToken names  `json:"output_token"`
	LimitKey    string `json:"limit_key"`
	ResultKey   names  `json:"result_key"`
}

type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(n))
}

// load reads the model in file and checks that it holds nothing that the
// generator and the runtime do not support.
func load(file string) (*model, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := new(model)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := m.add(strings.TrimSuffix(file, ".json") + ".additions.json"); err != nil {
		return nil, err
	}
	for name, s := range m.Shapes {
		if s.EventStream && m.Metadata.Protocol == "json" {
			for mn, mem := range s.Members {
				if m.Shapes[mem.Shape].Exception { // these are sent as errors
					delete(s.Members, mn)
				}
			}
			s.Type = "events"
			continue
		}
		if s.EventStream || s.Streaming {
			return nil, fmt.Errorf("%s: shape %s streams, which is not supported", file, name)
		}
		if !slices.Contains([]string{"structure", "list", "map", "string", "integer", "long", "float", "double", "boolean", "timestamp", "blob"}, s.Type) {
			return nil, fmt.Errorf("%s: shape %s has unknown type %q", file, name, s.Type)
		}
		for mn, mem := range s.Members {
			if !slices.Contains([]string{"", "uri", "querystring", "header", "statusCode"}, mem.Location) {
				return nil, fmt.Errorf("%s: member %s.%s has unsupported location %q", file, name, mn, mem.Location)
			}
		}
	}
	return m, nil
}

// add merges what newer clients know and the model does not: whole operations
// and shapes, members of structures that the model has, and the output and errors
// that the service answers though its model has none. There may be no such file.
func (m *model) add(file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var extra model
	if err := json.Unmarshal(raw, &extra); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for n, op := range extra.Operations {
		if have := m.Operations[n]; have != nil && have.Output == nil && op.Name == "" {
			have.Output, have.Errors = op.Output, append(have.Errors, op.Errors...)
			continue
		} else if have != nil {
			return fmt.Errorf("%s: the model has the operation %s by now: remove it here", file, n)
		}
		m.Operations[n] = op
	}
	maps.Copy(m.Pagination, extra.Pagination)
	for n, s := range extra.Shapes {
		have := m.Shapes[n]
		if have == nil {
			m.Shapes[n] = s
			continue
		}
		for mn, mem := range s.Members {
			if have.Members[mn] != nil {
				return fmt.Errorf("%s: the model has the member %s.%s by now: remove it here", file, n, mn)
			}
			have.Members[mn] = mem
		}
	}
	return nil
}

// reachable returns the names of the shapes that inputs and outputs use, sorted.
func (m *model) reachable() []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(n string) {
		if seen[n] {
			return
		}
		seen[n] = true
		s := m.Shapes[n]
		for _, mem := range s.Members {
			visit(mem.Shape)
		}
		for _, mem := range []*member{s.Member, s.Key, s.Value} {
			if mem != nil {
				visit(mem.Shape)
			}
		}
	}
	for _, op := range m.Operations {
		if op.Input != nil {
			visit(op.Input.Shape)
		}
		if op.Output != nil {
			visit(op.Output.Shape)
		}
	}
	return sorted(seen)
}
