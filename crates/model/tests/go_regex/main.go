// Answers what Go makes of regular expressions: JSON lines in, JSON lines out.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"regexp/syntax"
)

type question struct {
	// How the expression is used: matcher, anchored, alertmanager or search.
	Use         string
	Text        string
	Values      []string
	Replacement string
}

type answer struct {
	Error string
	// Per value: the replacement expanded when it matches, and all matches replaced in a search.
	Expanded []*string
	Replaced []string
}

func compile(q question) (*regexp.Regexp, error) {
	switch q.Use {
	case "matcher":
		parsed, err := syntax.Parse(q.Text, syntax.Perl|syntax.DotNL)
		if err != nil {
			return nil, err
		}
		return regexp.Compile("^(?s:" + parsed.String() + ")$")
	case "anchored":
		return regexp.Compile("^(?s:" + q.Text + ")$")
	case "alertmanager":
		return regexp.Compile("^(?:" + q.Text + ")$")
	}
	return regexp.Compile(q.Text)
}

func ask(q question) (a answer) {
	re, err := compile(q)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	for _, value := range q.Values {
		var expanded *string
		if match := re.FindStringSubmatchIndex(value); match != nil {
			text := string(re.ExpandString(nil, q.Replacement, value, match))
			expanded = &text
		}
		a.Expanded = append(a.Expanded, expanded)
		if q.Use == "search" {
			a.Replaced = append(a.Replaced, re.ReplaceAllString(value, q.Replacement))
		}
	}
	return a
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := encoder.Encode(ask(q)); err != nil {
			panic(err)
		}
	}
}
