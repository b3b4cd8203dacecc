//! Reading a condition from text, by recursive descent; the grammar is in the [module](super)'s documentation.

use std::str::FromStr;

use super::error::ConditionError;
use super::expression::{Condition, Literal, column};
use super::token::{Keyword, Token, TokenKind, tokens};

/// Deepest nesting of parentheses and `not`.
const MOST_DEEP: usize = 64;

impl Condition {
    /// Reads a condition: `age between 30 and 40 and sex = Female`.
    ///
    /// # Errors
    /// What was expected where, with an example; a text of more than 65,536 bytes, or nested more than 64 deep.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let tokens = tokens(text)?;
        let mut parser = Parser {
            text,
            tokens: &tokens,
            at: 0,
            deep: 0,
        };
        let condition = parser.any()?;
        match parser.peek() {
            TokenKind::End => Ok(condition),
            _ => Err(parser.expected("and, or, or the end, as in age >= 30 and age < 40")),
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    deep: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> &TokenKind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + by).min(last)].kind
    }

    fn step(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn take(&mut self, wanted: &TokenKind) -> bool {
        let found = self.peek() == wanted;
        if found {
            self.step();
        }
        found
    }

    fn take_keyword(&mut self, wanted: Keyword) -> bool {
        self.take(&TokenKind::Keyword(wanted))
    }

    fn refuse(&self, message: String) -> ConditionError {
        ConditionError::Syntax {
            text: self.text.to_owned(),
            at: self.tokens[self.at].at,
            message,
        }
    }

    fn expected(&self, what: &str) -> ConditionError {
        let found = match self.peek() {
            TokenKind::Word(text) => format!("\"{text}\""),
            TokenKind::Quoted(text) | TokenKind::BackQuoted(text) => format!("\"{text}\" in quotes"),
            TokenKind::Keyword(keyword) => format!("the keyword {}", keyword.text()),
            TokenKind::Comparison(comparison) => format!("\"{}\"", comparison.symbol()),
            TokenKind::Open => "\"(\"".to_owned(),
            TokenKind::Close => "\")\"".to_owned(),
            TokenKind::Comma => "\",\"".to_owned(),
            TokenKind::End => "the end".to_owned(),
        };
        self.refuse(format!("expected {what}, found {found}"))
    }

    fn any(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.all()?];
        while self.take_keyword(Keyword::Or) {
            parts.push(self.all()?);
        }
        Ok(Condition::any(parts))
    }

    fn all(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.negation()?];
        while self.take_keyword(Keyword::And) {
            parts.push(self.negation()?);
        }
        Ok(Condition::all(parts))
    }

    fn negation(&mut self) -> Result<Condition, ConditionError> {
        let mut negated = false;
        while self.take_keyword(Keyword::Not) {
            negated = !negated;
        }
        let condition = if self.take(&TokenKind::Open) {
            self.group()?
        } else {
            self.test()?
        };
        Ok(if negated { condition.negated() } else { condition })
    }

    /// What follows an opening parenthesis, up to the closing one.
    fn group(&mut self) -> Result<Condition, ConditionError> {
        if self.take(&TokenKind::Close) {
            return Ok(Condition::all([]));
        }
        if self.deep == MOST_DEEP {
            return Err(self.refuse(format!("parentheses are nested more than {MOST_DEEP} deep")));
        }
        self.deep += 1;
        let condition = self.any()?;
        self.deep -= 1;
        if self.take(&TokenKind::Close) {
            Ok(condition)
        } else {
            Err(self.expected("and, or, or the closing \")\""))
        }
    }

    fn test(&mut self) -> Result<Condition, ConditionError> {
        let column = column(self.name()?);
        if let TokenKind::Comparison(comparison) = *self.peek() {
            self.step();
            let right_is_column = *self.peek() == TokenKind::Keyword(Keyword::Column)
                || matches!(self.peek(), TokenKind::BackQuoted(_));
            return Ok(if right_is_column {
                column.compare_column(comparison, self.name()?)
            } else {
                column.compare(comparison, self.literal()?)
            });
        }
        if self.take_keyword(Keyword::Is) {
            let negated = self.take_keyword(Keyword::Not);
            let condition = if self.take_keyword(Keyword::Missing) || self.take_keyword(Keyword::Null) {
                column.is_missing()
            } else if self.take_keyword(Keyword::Known) {
                column.is_known()
            } else {
                return Err(self.expected(
                    "missing, not missing or known after \"is\" (equality is =), as in occupation is missing",
                ));
            };
            return Ok(if negated { condition.negated() } else { condition });
        }
        let negated = self.take_keyword(Keyword::Not);
        let condition = if self.take_keyword(Keyword::Between) {
            let low = self.literal()?;
            if !self.take_keyword(Keyword::And) {
                return Err(self.expected("and, as in age between 30 and 40"));
            }
            column.between(low, self.literal()?)
        } else if self.take_keyword(Keyword::In) {
            column.one_of(self.list()?)
        } else if negated {
            return Err(self.expected("in or between after \"not\", as in age not between 30 and 40"));
        } else {
            return Err(self.expected(
                "=, !=, <, <=, >, >=, in, between or is after the column's name, as in age >= 30",
            ));
        };
        Ok(if negated { condition.negated() } else { condition })
    }

    /// The name of a column: quoted, or one or several bare words.
    fn name(&mut self) -> Result<String, ConditionError> {
        self.take_keyword(Keyword::Column);
        if let TokenKind::Quoted(text) | TokenKind::BackQuoted(text) = self.peek() {
            let name = text.clone();
            self.step();
            return Ok(name);
        }
        let mut words = Vec::new();
        while let TokenKind::Word(word) = self.peek() {
            words.push(word.clone());
            self.step();
        }
        if words.is_empty() {
            return Err(self.expected("the name of a column (keywords in quotes), as in age >= 30"));
        }
        Ok(words.join(" "))
    }

    fn list(&mut self) -> Result<Vec<Literal>, ConditionError> {
        if !self.take(&TokenKind::Open) {
            return Err(
                self.expected("a list in parentheses, as in education in (Bachelors, \"Some-college\")")
            );
        }
        let mut values = Vec::new();
        if self.take(&TokenKind::Close) {
            return Ok(values);
        }
        loop {
            values.push(self.literal()?);
            if self.take(&TokenKind::Close) {
                return Ok(values);
            }
            if !self.take(&TokenKind::Comma) {
                return Err(self.expected("\",\" or the closing \")\" of the list"));
            }
        }
    }

    /// One value: quoted, or one bare word.
    fn literal(&mut self) -> Result<Literal, ConditionError> {
        let (TokenKind::Word(text) | TokenKind::Quoted(text)) = self.peek() else {
            return Err(match self.peek() {
                TokenKind::Keyword(Keyword::Missing | Keyword::Null) => {
                    self.expected("a value (a missing cell is asked for by \"is missing\")")
                }
                TokenKind::Keyword(_) => self.expected("a value (a keyword in quotes), such as 30 or \"in\""),
                _ => self.expected("a value, such as 30 or \"Some-college\""),
            });
        };
        let literal = Literal(text.clone());
        self.step();
        let value_goes_on = matches!(self.peek(), TokenKind::Word(_) | TokenKind::Quoted(_));
        if value_goes_on {
            return Err(self.expected(
                "and, or, a comma or the end after the value (one of several words is in quotes)",
            ));
        }
        Ok(literal)
    }
}
