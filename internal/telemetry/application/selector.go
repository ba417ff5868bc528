package application

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/telemetry"
)

// Selector is a series selector that a user wrote: a name and matchers, and nothing else of PromQL.
type Selector struct {
	name     string
	matchers []matcher
}

// matcher is a condition on one label.
type matcher struct {
	label, op, value string
	pattern          *regexp.Regexp
}

var (
	namePattern  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
	opPattern    = regexp.MustCompile(`^(=~|!~|!=|=)`)
	// valuePattern is a double-quoted text with escapes, or a raw one in backticks.
	valuePattern = regexp.MustCompile("^(\"(?:[^\"\\\\\n]|\\\\.)*\"|`[^`]*`)")
)

// reserved are the labels that the operator sets, so that a user sees the own pods only.
var reserved = []string{"namespace", "pod", telemetry.NameLabel}

// ParseSelector reads metric{label="value",other=~"pattern"}. Everything else of PromQL is refused: functions, time
// ranges, offsets, operators, and matchers on labels that tell whose pods are counted.
func ParseSelector(text string) (Selector, error) {
	p := parser{rest: text}
	s, err := p.selector()
	if err != nil {
		return Selector{}, fmt.Errorf("read selector %q: %w", text, err)
	}
	return s, nil
}

// parser takes a selector apart from the left.
type parser struct{ rest string }

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take returns what the pattern matches at the beginning, with the spaces around it removed.
func (p *parser) take(pattern *regexp.Regexp) string {
	p.space()
	found := pattern.FindString(p.rest)
	p.rest = p.rest[len(found):]
	p.space()
	return found
}

func (p *parser) char(c string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, c)
	p.rest = rest
	p.space()
	return ok
}

func (p *parser) selector() (Selector, error) {
	s := Selector{name: p.take(namePattern)}
	switch s.name {
	case "":
		return s, errors.New("it must begin with the name of a metric")
	case presence:
		return s, fmt.Errorf("%s is not a counter", presence)
	}
	if p.char("{") {
		if err := p.matchers(&s); err != nil {
			return s, err
		}
	}
	if p.rest != "" {
		return s, fmt.Errorf(`%q is too much: give a metric and its labels, such as metric{label="value"}, without functions, ranges or operators`, p.rest)
	}
	return s, nil
}

func (p *parser) matchers(s *Selector) error {
	for !p.char("}") {
		m, err := p.matcher()
		if err != nil {
			return err
		}
		s.matchers = append(s.matchers, m)
		if p.char(",") {
			continue
		}
		if !p.char("}") {
			return fmt.Errorf("a comma or a closing brace must follow label %s", m.label)
		}
		return nil
	}
	return nil
}

func (p *parser) matcher() (matcher, error) {
	m := matcher{label: p.take(labelPattern)}
	if m.label == "" {
		return m, fmt.Errorf("a label's name is expected at %q", p.rest)
	}
	if slices.Contains(reserved, m.label) {
		return m, fmt.Errorf("label %s must not be matched: the operator sets it to tell the arms apart", m.label)
	}
	if m.op = p.take(opPattern); m.op == "" {
		return m, fmt.Errorf("one of = != =~ !~ must follow label %s", m.label)
	}
	quoted := p.take(valuePattern)
	value, err := strconv.Unquote(quoted)
	if err != nil {
		return m, fmt.Errorf("the value of label %s must be in double quotes", m.label)
	}
	m.value = value
	if m.op == "=~" || m.op == "!~" {
		if m.pattern, err = compile(value); err != nil {
			return m, fmt.Errorf("the pattern of label %s: %w", m.label, err)
		}
	}
	return m, nil
}

// compile makes a pattern that matches whole values, as in Prometheus. The pattern is compiled by itself first, for one
// with a closing parenthesis too many would escape from its anchors.
func compile(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile("^(?s:" + pattern + ")$")
}

// matches says whether the selector selects a series. A label that is absent is empty.
func (s Selector) matches(l telemetry.Labels) bool {
	return l[telemetry.NameLabel] == s.name && s.fits(l)
}

func (m matcher) matches(value string) bool {
	switch m.op {
	case "=":
		return value == m.value
	case "!=":
		return value != m.value
	case "=~":
		return m.pattern.MatchString(value)
	case "!~":
		return !m.pattern.MatchString(value)
	}
	return false
}

// equal is the value that the selector demands of a label.
func (s Selector) equal(label string) (string, bool) {
	for _, m := range s.matchers {
		if m.label == label && m.op == "=" {
			return m.value, true
		}
	}
	return "", false
}

// String is the selector in PromQL.
func (s Selector) String() string {
	parts := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		parts[i] = m.label + m.op + strconv.Quote(m.value)
	}
	return s.name + "{" + strings.Join(parts, ",") + "}"
}

// fits says whether the matchers select a series, whatever its name is.
func (s Selector) fits(l telemetry.Labels) bool {
	return !slices.ContainsFunc(s.matchers, func(m matcher) bool { return !m.matches(l[m.label]) })
}

// matched says whether a label is among the matchers.
func (s Selector) matched(label string) bool {
	return slices.ContainsFunc(s.matchers, func(m matcher) bool { return m.label == label })
}
